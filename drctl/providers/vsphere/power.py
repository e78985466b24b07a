"""Power: on with the guest answering, off, and the polite way off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field as Argument

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration, format_duration
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import entries, network, reads, running, twins
from drctl.providers.vsphere.arguments import Disposable, VmName
from drctl.providers.vsphere.client import Deadline, Row, Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.identity import Exactly, exactly, find
from drctl.providers.vsphere.model import PowerState

if TYPE_CHECKING:
    from drctl.providers.vsphere.watcher import Patience, Watch

TOOLS_RUN = "guestToolsRunning"


class _Power(Action[Vsphere, PowerState]):
    """What all power actions share: one VM by name, its power state."""

    state: ClassVar[type] = PowerState
    hopeless: ClassVar[frozenset[str]] = frozenset({"disconnected"})
    """connectionStates in which nothing can be known; an inaccessible VM may still have to be stopped."""

    vm: VmName

    def touches(self) -> frozenset[ObjectRef]:
        """Name the VM."""
        return frozenset({ObjectRef("vm", self.vm)})

    def read(self, client: Vsphere) -> PowerState:
        """Read whether the VM runs."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[PowerState | ProviderError]:
        """Read the VMs once for all."""
        return entries.each_named(client, [one.vm for one in actions], entries.POWER, entries.power)

    def _need(self, now: PowerState) -> None:
        if not now.found:
            raise Missing(ObjectRef("vm", self.vm), f"VM {self.vm} is not registered")
        if now.connection in self.hopeless:
            raise refuse(
                "vm-unusable",
                f"vCenter shows {self.vm} as {now.connection}",
                "Its files or its host cannot be reached, so its power state is not certain.",
                "Bring the datastore or host back, or register the VM anew.",
            )


class PowerOn(_Power):
    """Power a VM on and, with ``wait_for: tools``, wait until VMware Tools run in the guest.

    ``timeout`` bounds the wait for the guest; without it the step's own time limit does. A question
    of the VM (moved or copied?) is reported, never answered. With ``only_networks`` it is refused while
    a card is connected to any other network, and always while another running VM of this vCenter has
    the MAC address of one of its cards on the same network. A ``disposable`` VM, a drill's copy, is stopped by cutting
    its power when this is undone, where another is shut down.
    """

    name: ClassVar[str] = "vsphere.vm.power_on"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    hopeless: ClassVar[frozenset[str]] = frozenset({"disconnected", "inaccessible", "invalid", "orphaned"})

    wait_for: Literal["tools", "none"] = Argument(
        "tools", description="Whether to wait until VMware Tools run in the guest."
    )
    timeout: Duration | None = Argument(
        None, description="How long to wait for the guest; default the step's own time limit."
    )
    only_networks: tuple[str, ...] = Argument(
        (), description="Refuse while a card is connected to any other network; default any."
    )
    disposable: Disposable = False

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[PowerState | ProviderError]:
        """Read the VMs once for all; cards, networks and twins only where those matter."""
        guarded = any(one.only_networks for one in actions)
        paths = sorted({*entries.POWER, *(network.PATHS if guarded else ())})
        look_up = entries.vms_named(client, [one.vm for one in actions], paths)
        networks = reads.read_networks(client) if guarded else {}
        here = client.instance()
        rows = [reads.outcome(look_up, one.vm) for one in actions]
        met = twins.find(client, [row for row in rows if isinstance(row, Row) and _is_off(row)])

        def compose(one: Self) -> PowerState:
            row = look_up(one.vm)
            nics = network.cards_of(row, networks) if row is not None and one.only_networks else ()
            same = met.get(row.id, ()) if row is not None else ()
            return replace(entries.power(row), vcenter=here, nics=nics, twins=same)

        return [reads.outcome(compose, one) for one in actions]

    def diff(self, now: PowerState) -> Change | None:
        """Compare power state and tools."""
        self._need(now)
        self._check_networks(now)
        self._check_twins(now)
        fields = []
        if now.power != "poweredOn":
            fields.append(Field("power", now.power, "poweredOn"))
        if self.wait_for == "tools" and now.tools != TOOLS_RUN:
            fields.append(Field("tools", now.tools or None, TOOLS_RUN))
        if not fields:
            return None
        verb = "power on" if now.power != "poweredOn" else "wait for the guest of"
        return Change(f"{verb} {self.vm}", tuple(fields))

    def _check_networks(self, now: PowerState) -> None:
        outside = [nic for nic in now.nics if nic.connected and nic.network not in self.only_networks]
        if not self.only_networks or not outside:
            return
        nic = outside[0]
        raise refuse(
            "network-outside",
            f"{self.vm}: {nic.label} is connected to {nic.network or 'a network without a name here'}",
            f"It may be connected to {', '.join(self.only_networks)} only: elsewhere it could meet its twin.",
            "Connect it there first: vsphere.vm.connect_networks.",
        )

    def _check_twins(self, now: PowerState) -> None:
        if now.power == "poweredOn" or not now.twins:
            return
        twin = now.twins[0]
        where = twin.network_name or f"the network of {twin.label}"
        raise refuse(
            "mac-in-use",
            f"{twin.vm}, which runs on {where}, has the MAC address of {self.vm}",
            f"{twin.mac} is {self.vm}'s {twin.label}, and {twin.vm} ({twin.moref}) uses it on {where}: "
            "with both on it neither would be reached reliably.",
            f"If {twin.vm} is the same machine, shut it down first (vsphere.vm.shutdown); else put one of them "
            "on another network (vsphere.vm.connect_networks) or give it another MAC address.",
        )

    def find_running(self, client: Vsphere, since: datetime) -> Handle | None:
        """Return a power-on under way."""
        return running.find(client, since, ("PowerOnVM_Task", "powerOn"), vm=self.vm)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Power on, then wait for the guest."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        if now.power != "poweredOn":
            control.progress(f"powering on {self.vm}")
            _tolerate_state(
                lambda: client.run(
                    f"powering on {self.vm}",
                    lambda wire: wire.ref("VirtualMachine", now.moref).PowerOnVM_Task(),
                    control,
                    vm=now.moref,
                )
            )
        if self.wait_for == "tools":
            control.progress(f"waiting for VMware Tools in {self.vm}")
            self._wait_for_tools(client, now.moref, control)

    def _wait_for_tools(self, client: Vsphere, moref: str, control: Control) -> None:
        from drctl.providers.vsphere.waiting import asked  # noqa: PLC0415 - pyVmomi costs 70 ms

        what = f"waiting for {self.vm}"

        def judge(watch: Watch) -> bool | None:
            question = watch.value(moref, "runtime.question")
            if question is not None:
                raise asked(what, question, client.endpoint.name, control)
            if moref in watch.gone or watch.value(moref, "runtime.powerState") == "poweredOff":
                raise refuse("vm-stopped", f"{self.vm} went off again while it was starting")
            return True if watch.value(moref, "guest.toolsRunningStatus") == TOOLS_RUN else None

        patience: Patience = _Shorter(client, self.timeout, control)
        paths = ("guest.toolsRunningStatus", "runtime.powerState", "runtime.question")
        client.wait({("VirtualMachine", moref): paths}, judge, patience, self._no_tools)

    def _no_tools(self) -> ProviderError:
        within = f" within {format_duration(self.timeout)}" if self.timeout else " in time"
        return refuse(
            "no-tools",
            f"{self.vm} is on, but VMware Tools did not start{within}",
            "The guest may hang while booting, check its disks, or have no tools.",
            "Look at its console; retry the step, or set wait_for: none and check the service instead.",
        )

    def undo(self, before: PowerState, change: Change) -> Recipe | None:
        """Shut that very VM down again, or cut a copy's power, when it was off."""
        if before.power == "poweredOn":
            return None
        home = reads.split_path(before.path)[0]
        known = {"vm": self.vm, **exactly(moref=before.moref, vcenter=before.vcenter, datastore=home)}
        if self.disposable:
            return Recipe(PowerOff.name, known)
        return Recipe(Shutdown.name, {**known, "then": "power_off"})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Power the copy on, provided that it can meet nobody outside the bubble."""
        networks = bubble.networks
        isolated = {networks} if isinstance(networks, str) else set(networks.values())
        arguments = self.model_dump(mode="json", exclude_unset=True)
        inside = {"vm": bubble.vm(self.vm), "only_networks": sorted(isolated), "disposable": True}
        return Recipe(self.name, arguments | inside)


class _Stop(Exactly, _Power):
    """What stopping shares: the VM may be named exactly, and then one that is gone is a VM that is off."""

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[PowerState | ProviderError]:
        """Read the VMs once for all."""
        rows = find(client, actions, entries.POWER)
        return [row if isinstance(row, ProviderError) else entries.power(row) for row in rows]

    def is_off(self, now: PowerState) -> bool:
        """Say whether there is nothing left to stop; raise what makes that uncertain."""
        if self.is_exact and not now.found:
            return True
        self._need(now)
        return now.power == "poweredOff"

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: what a failover stops is production's own VM."""
        return NotExercised(f"{self.vm} is production's own, which a drill leaves running")


class PowerOff(_Stop):
    """Cut a VM's power, whatever its guest is doing.

    Beside the name, ``moref`` and the fields after it name that very VM: another one is left alone.
    """

    name: ClassVar[str] = "vsphere.vm.power_off"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE

    def diff(self, now: PowerState) -> Change | None:
        """Compare the power state."""
        if self.is_off(now):
            return None
        return Change(f"power off {self.vm}", (Field("power", now.power, "poweredOff"),))

    def find_running(self, client: Vsphere, since: datetime) -> Handle | None:
        """Return a power-off under way."""
        return running.find(client, since, ("PowerOffVM_Task", "powerOff"), vm=self.vm)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Power off."""
        now = self.read(client)
        if self.diff(now) is not None:
            _power_off(client, self.vm, now.moref, control)

    def undo(self, before: PowerState, change: Change) -> Recipe | None:
        """Power it on again, when it was on."""
        return _start_again(self.vm, before)


class Shutdown(_Stop):
    """Ask the guest to shut down and wait until the VM is off.

    ``then: power_off`` cuts the power of a guest that has not gone down within ``timeout``, or whose
    tools do not run. Beside the name, ``moref`` and the fields after it name that very VM.
    """

    name: ClassVar[str] = "vsphere.vm.shutdown"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE

    timeout: Duration = Argument(300.0, description="How long the guest may take to go down.")
    then: Literal["fail", "power_off"] = Argument(
        "fail", description="What to do with a guest that has not gone down by then: fail, or cut the power."
    )

    def diff(self, now: PowerState) -> Change | None:
        """Compare the power state."""
        if self.is_off(now):
            return None
        return Change(f"shut down {self.vm}", (Field("power", now.power, "poweredOff"),))

    def find_running(self, client: Vsphere, since: datetime) -> Handle | None:
        """Return a power-off under way; a guest's shutdown is no task."""
        return running.find(client, since, ("PowerOffVM_Task", "powerOff"), vm=self.vm)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Ask, wait, and cut the power only when told to."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        try:
            self._ask(client, now, control)
        except ProviderError as error:
            gave_up = error.problem.code in ("guest-stays-up", "vsphere-tools-unavailable")
            if self.then == "fail" or not gave_up:
                raise
            control.override(f"power off {self.vm}", error.problem.summary)
            _power_off(client, self.vm, now.moref, control)

    def _ask(self, client: Vsphere, now: PowerState, control: Control) -> None:
        if now.power == "suspended":
            raise self._stays_up("it is suspended, so its guest cannot be asked")
        control.progress(f"asking the guest of {self.vm} to shut down")
        client.change(
            f"shutting down {self.vm}", lambda wire: wire.ref("VirtualMachine", now.moref).ShutdownGuest()
        )

        def judge(watch: Watch) -> bool | None:
            return True if watch.value(now.moref, "runtime.powerState") == "poweredOff" else None

        client.wait(
            {("VirtualMachine", now.moref): ("runtime.powerState",)},
            judge,
            _Shorter(client, self.timeout, control),
            lambda: self._stays_up(f"not off after {format_duration(self.timeout)}"),
        )

    def _stays_up(self, why: str) -> ProviderError:
        return refuse(
            "guest-stays-up",
            f"{self.vm} does not shut down: {why}",
            hint="Shut it down inside the guest, or set then: power_off.",
        )

    def undo(self, before: PowerState, change: Change) -> Recipe | None:
        """Power it on again, when it was on."""
        return _start_again(self.vm, before)


class _Shorter:
    """The shorter of an action's own timeout and the step's."""

    def __init__(self, client: Vsphere, seconds: float | None, control: Control) -> None:
        self._own = Deadline(client.clock, seconds) if seconds is not None else None
        self._control = control

    def remaining(self) -> float:
        """Return the seconds left."""
        left = self._control.remaining()
        return min(left, self._own.remaining()) if self._own else left


def _is_off(row: Row) -> bool:
    return row.text("runtime.powerState") != "poweredOn"


def _power_off(client: Vsphere, vm: str, moref: str, control: Control) -> None:
    control.progress(f"powering off {vm}")
    _tolerate_state(
        lambda: client.run(
            f"powering off {vm}", lambda wire: wire.ref("VirtualMachine", moref).PowerOffVM_Task(), control
        )
    )


def _tolerate_state(call: Callable[[], object]) -> None:
    """Make a call; that the VM already is in the state wanted is no error (the engine reads again)."""
    try:
        call()
    except ProviderError as error:
        if error.problem.code != "vsphere-invalid-power-state":
            raise


def _start_again(vm: str, before: PowerState) -> Recipe | None:
    if before.power != "poweredOn":
        return None
    return Recipe(PowerOn.name, {"vm": vm, "wait_for": "none"})
