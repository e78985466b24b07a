"""Short names for what tests of the lab's rules do again and again; the clock is driven, not waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drctl.lab import apps, compute, machines, mirrors, names, nas, sites, storage, volumes
from drctl.lab.model import Cluster, Host, Job, Mirror, Svm, Task, VCenter, Vm, Volume
from drctl.lab.world import World

if TYPE_CHECKING:
    from drctl.lab.server import Lab


@dataclass
class Scene:
    """The shipped estate without wires: a world, its clock advanced by hand."""

    world: World

    @classmethod
    def of(cls, lab: Lab) -> Scene:
        """The scene of a running lab."""
        return cls(lab.world)

    # --- storage ---

    @property
    def lyon(self) -> Cluster:
        return self.world.estate.clusters["ontap-lyon"]

    @property
    def paris(self) -> Cluster:
        return self.world.estate.clusters["ontap-paris"]

    @property
    def svm(self) -> Svm:
        return self.lyon.svms["svm_dr"]

    def volume(self, path: str, cluster: str = "ontap-lyon") -> Volume:
        found = storage.find_path(self.world.estate.clusters[cluster], path)
        assert found, path
        return found

    def mirror(self, name: str = "ris_vm") -> Mirror:
        found = mirrors.find(self.lyon, f"svm_dr:{name}_dr")
        assert found, name
        return found

    def done(self, job: Job, seconds: float = 130) -> Job:
        """Let a job end."""
        for _ in range(int(seconds)):
            if job.ended:
                break
            self.world.advance(1)
        assert job.ended, job
        return job

    def ok(self, job: Job) -> Job:
        assert self.done(job).state == "success", job
        return job

    def fails(self, job: Job, code: int, text: str = "") -> Job:
        assert (self.done(job).state, job.code) == ("failure", code), job
        assert text in job.message, job.message
        return job

    def state(self, name: str, state: str, **options: object) -> Job:
        return mirrors.change_state(self.world, self.lyon, self.mirror(name), state, **options)  # type: ignore[arg-type]  # passed through

    def break_off(self, name: str, *, force: bool = True) -> None:
        self.ok(self.state(name, "broken_off", force=force))

    def modify(self, name: str, /, **change: object) -> Job:
        wanted = volumes.Change(**change)  # type: ignore[arg-type]  # passed through
        return volumes.modify(self.world, self.lyon, self.volume(f"svm_dr:{name}_dr"), wanted)

    def promote(self, name: str, policy: str | None = "esx") -> None:
        """Break, mount and export, as a failover does."""
        self.break_off(name)
        self.ok(self.modify(name, junction=f"/{name}", export_policy=policy))

    # --- compute ---

    @property
    def vc(self) -> VCenter:
        return self.world.estate.vcenters["vc-lyon"]

    @property
    def old_vc(self) -> VCenter:
        return self.world.estate.vcenters["vc-paris"]

    def hosts(self) -> list[Host]:
        return list(self.vc.hosts.values())

    def nfs(self) -> str:
        return next(lif.address for lif in self.svm.lifs.values() if "nfs" in lif.name)

    def mount(self, datastore: str, path: str) -> None:
        for host in self.hosts():
            compute.mount_nfs(self.world, self.vc, host, datastore, self.nfs(), path)

    def finish(self, task: Task, seconds: float = 130) -> Task:
        for _ in range(int(seconds)):
            if task.ended:
                break
            self.world.advance(1)
        assert task.ended, task
        return task

    def works(self, task: Task) -> Task:
        assert self.finish(task).state == "success", task
        return task

    def faults_with(self, task: Task, name: str) -> Task:
        assert self.finish(task).state == "error", task
        assert (task.fault or "").startswith(f"{name}:"), task.fault
        return task

    def register(self, name: str, datastore: str, folder: str = "PACS") -> Task:
        path = f"[{datastore}] {name}/{name}.vmx"
        return machines.register(self.world, self.vc, path, name=name, folder=folder, pool="dr")

    def vm(self, name: str, vcenter: VCenter | None = None) -> Vm:
        return next(vm for vm in (vcenter or self.vc).vms.values() if vm.name == name)

    def adopt(self, name: str, datastore: str, folder: str, network: str) -> Vm:
        """Register, keep the identity, resolve disks, connect: all that comes before power."""
        self.works(self.register(name, datastore, folder))
        vm = self.vm(name)
        moref = machines.network_of(self.vc, network)
        disks = {
            key: f"[ds_ris_db] {path.split('/', 4)[4]}"
            for key, path in vm.disks.items()
            if path.startswith("/vmfs")
        }
        change = machines.VmChange(
            nics=(machines.NicChange(vm.nics[0].key, moref),), disks=disks, extra={"uuid.action": "keep"}
        )
        self.works(machines.reconfigure(self.world, self.vc, vm, change))
        return vm

    def run(self, vm: Vm) -> None:
        self.works(machines.power_on(self.world, self.vc, vm))
        self.world.advance(machines.WINDOWS_BOOT_TIME)
        assert vm.booted

    # --- people ---

    def point(self, record: str, site: str) -> None:
        """Let a name point to a site: what the runbook's dns step does."""
        service = self.world.estate.dns["dns-main"]
        zone = service.zones["teleradio.example."]
        ttl, values = zone.records[record, "A"]
        third = {"paris": "1", "lyon": "2"}[site]
        parts = values[0].split(".")
        parts[2] = third
        zone.records[record, "A"] = (ttl, [".".join(parts)])
        names.commit(self.world, service, zone)

    def reason(self, service: str, site: str = "lyon") -> str:
        return apps.answers(self.world, service, site).reason

    def lose(self, site: str = "paris") -> None:
        self.world.faults.add(f"site-down:{site}")


__all__ = ["Scene", "apps", "compute", "machines", "mirrors", "names", "nas", "sites", "storage", "volumes"]
