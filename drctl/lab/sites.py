"""What happens to a site as a whole: power lost, cut off, back again."""

from __future__ import annotations

from drctl.lab.compute import VimFault, fail_task
from drctl.lab.faults import Fault
from drctl.lab.model import VCenter
from drctl.lab.power import halt, start
from drctl.lab.world import EVERYWHERE, World

RETURN_TIME = 60.0
"""Estate seconds between power and the first VM that autostart starts."""


def attach(world: World) -> None:
    """Let the faults that name a site act on the world."""

    def changed(fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        _act(world, fault, active=active)

    world.on_fault.append(changed)


def _act(world: World, fault: Fault, *, active: bool) -> None:
    """Faults without a target strike production."""
    target = fault.target or world.estate.production
    if fault.name == "site-partition":
        _partition(world, target, cut=active)
    elif target in world.estate.sites:
        if fault.name == "site-down":
            if active:
                lose_power(world, target)
            else:
                restore_power(world, target, autostart=False)
        elif fault.name == "site-returns-with-autostart" and active:
            restore_power(world, target, autostart=True)
            for ended in (f"site-down:{target}", f"site-partition:{target}"):
                world.faults.lift(ended)


def _partition(world: World, target: str, *, cut: bool) -> None:
    """``site`` is cut off from everything; ``one/other`` only from each other."""
    one, slash, other = target.partition("/")
    pairs = ((one, other), (other, one)) if slash else ((one, EVERYWHERE),)
    for site, away in pairs:
        if site in world.estate.sites:
            gone = world.estate.sites[site].partitioned_from
            if cut:
                gone.add(away)
            else:
                gone.discard(away)


def lose_power(world: World, name: str) -> None:
    """Everything at the site stops at once."""
    site = world.site(name)
    if not site.alive:
        return
    world.touch()  # writes count up to this instant
    site.alive = False
    site.generation += 1
    for vcenter in world.estate.vcenters.values():
        if vcenter.site == name:
            _stop(world, vcenter)


def _stop(world: World, vcenter: VCenter) -> None:
    for vm in vcenter.vms.values():
        if vm.power == "poweredOn":
            vm.ran = True
            halt(vm)
    for task in vcenter.tasks.values():
        if task.state in ("queued", "running"):
            fail_task(world, task, VimFault("SystemError", "The vCenter went down while the task ran."))


def restore_power(world: World, name: str, *, autostart: bool) -> None:
    """The site is back; with ``autostart`` the VMs that ran start by themselves on their old volumes."""
    site = world.site(name)
    site.partitioned_from.discard(EVERYWHERE)
    site.alive = True
    for vcenter in world.estate.vcenters.values():
        if vcenter.site != name:
            continue
        for vm in vcenter.vms.values():
            if vm.ran and autostart:
                _start_later(world, vcenter, vm.moref)
            vm.ran = False


def _start_later(world: World, vcenter: VCenter, moref: str) -> None:
    def begin() -> None:
        vm = vcenter.vms.get(moref)
        if vm and vm.power == "poweredOff" and world.site(vcenter.site).alive:
            start(world, vcenter, vm)

    world.after(RETURN_TIME, begin)
