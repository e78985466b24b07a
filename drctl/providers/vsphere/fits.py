"""Whether a machine could run somewhere else: what its own vCenter knows of it, before the day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, JsonValue

from drctl.core.action import ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.probe import BulkProbe, Finding, Level, Observation
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.arguments import VmName
from drctl.providers.vsphere.client import Row, Vsphere

PATHS: Final = ("config.hardware.device", "config.keyId", "config.version", "name")
_DRIVES: Final = ("VirtualCdrom", "VirtualFloppy")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One thing that would not fit; ``impossible`` when no decision helps."""

    what: str
    hint: str
    level: Level = Level.BLOCKER
    impossible: bool = False


class Fits(BulkProbe[Vsphere]):
    """Whether a VM, as the vCenter that it is registered in knows it, could run on another cluster.

    Ask the vCenter where it runs, while that lives; what the other side offers is told, because the probe
    asks one vCenter only. A virtual hardware version that its hosts do not know, and encryption (a virtual
    TPM needs it) without a key provider there, block for good. A raw device mapping blocks until somebody
    says that its LUN is there too. An ISO or floppy image, connected at power-on, on a datastore that is not
    there is a warning.

    It does not see whether the key provider there has this machine's key, whether a LUN is presented there,
    passthrough devices, processor features, or room: for those a drill is the test.
    """

    name: ClassVar[str] = "vsphere.vm.fits"
    output_names: ClassVar[frozenset[str]] = frozenset({"hardware"})

    vm: VmName
    hardware: Annotated[int, Field(ge=4)] = Field(
        description="The newest virtual hardware version that every host of the other cluster runs, e.g. 19 "
        "for vSphere 7.0 U2; vCenter shows it as the cluster's compatibility."
    )
    datastores: tuple[str, ...] = Field(
        description="The datastores that there will be on the other side, by the names they have here."
    )
    key_provider: bool = Field(
        False, description="Whether the other vCenter has a key provider with the keys of encrypted VMs."
    )

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the VM."""
        return frozenset({ObjectRef("vm", self.vm)})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Read the configuration of all of them at once."""
        return entries.each_named(client, [probe.vm for probe in probes], PATHS, _observe)

    def judge(self, seen: Observation) -> Finding:
        """What makes it impossible comes first; a machine that is not there cannot be judged."""
        if not seen.values.get("registered"):
            return Finding(
                Level.WARNING,
                f"whether {self.vm} fits is not known: it is not registered in this vCenter",
                hint="Correct `vm`, or ask the vCenter where it runs.",
            )
        troubles = sorted(
            self._troubles(seen), key=lambda one: (not one.impossible, one.level != Level.BLOCKER)
        )
        if not troubles:
            return Finding(Level.OK, f"{self.vm} fits hosts of hardware version {self.hardware}")
        worst = troubles[0]
        could = (
            "would start, but not as it is here" if worst.level == Level.WARNING else "would not start there"
        )
        return Finding(
            worst.level,
            f"{self.vm} {could}: {worst.what}",
            tuple(one.what for one in troubles[1:]),
            worst.hint,
            impossible=worst.impossible,
        )

    def _troubles(self, seen: Observation) -> Iterator[_Trouble]:
        version = seen.values.get("hardware")
        if isinstance(version, int) and version > self.hardware:
            yield _Trouble(
                f"its virtual hardware is version {version}, the hosts there know {self.hardware} at most",
                "Update the hosts there, or restore it on older hardware: a version is never lowered.",
                impossible=True,
            )
        if seen.values.get("encrypted") and not self.key_provider:
            yield _Trouble(
                f"it has {seen.values['encrypted']}, and there is no key provider there",
                "Set up the same key provider in the other vCenter, then say key_provider: true.",
                impossible=True,
            )
        for disk in _texts(seen.values.get("raw_disks")):
            yield _Trouble(
                f"{disk} maps a LUN, which does not come with the datastore",
                "Move its data to a virtual disk, or replicate and map the LUN by hand.",
            )
        for label, path in _pairs(seen.values.get("images")):
            home = reads.split_path(path)[0]
            if home not in self.datastores:
                yield _Trouble(
                    f"{label} has {path}, and {home or 'its datastore'} is not there",
                    "Disconnect it, or name its datastore under `datastores` if it is there.",
                    Level.WARNING,
                )

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Ask about the copy, on the drill's datastores beside those that are shared."""
        copies: list[JsonValue] = [*self.datastores, *(bubble.datastore(one) for one in self.datastores)]
        told = {"hardware": self.hardware, "key_provider": self.key_provider}
        return Recipe(self.name, {"vm": bubble.vm(self.vm), "datastores": copies, **told})


def _observe(row: Row | None) -> Observation:
    if row is None:
        return Observation({"registered": False})
    version = row.text("config.version").removeprefix("vmx-")
    return Observation(
        {
            "registered": True,
            "hardware": int(version) if version.isdigit() else None,
            "encrypted": _encrypted(row),
            "raw_disks": [entries.label(one) for one in entries.devices(row, "VirtualDisk") if _is_raw(one)],
            "images": [{"drive": drive, "path": path} for drive, path in _images(row)],
        }
    )


def _encrypted(row: Row) -> str:
    if entries.devices(row, "VirtualTPM"):
        return "a virtual TPM"
    return "an encrypted configuration" if row.values.get("config.keyId") is not None else ""


def _is_raw(disk: Any) -> bool:
    return any("RawDisk" in base.__name__ for base in type(disk.backing).__mro__)


def _images(row: Row) -> Iterator[tuple[str, str]]:
    """Yield the images that are connected when the VM starts, by their drives."""
    for drive in (device for kind in _DRIVES for device in entries.devices(row, kind)):
        path = str(getattr(drive.backing, "fileName", None) or "")
        link = drive.connectable
        everywhere = (
            path.startswith("[] /") and "/vmfs/volumes/" not in path
        )  # VMware Tools come with the host
        if path and not everywhere and (link is None or link.startConnected):
            yield entries.label(drive), path


def _texts(value: JsonValue) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _pairs(value: JsonValue) -> Iterator[tuple[str, str]]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            yield str(one["drive"]), str(one["path"])
