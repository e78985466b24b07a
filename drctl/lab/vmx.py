"""The text of a .vmx file and what it says: identity, NICs, disks, guest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE = re.compile(r'^\s*([\w.:]+)\s*=\s*"(.*)"\s*$')
_NIC = re.compile(r"^ethernet(\d+)\.present$")
_DISK = re.compile(r"^(scsi|sata|nvme)(\d+):(\d+)\.fileName$", re.IGNORECASE)
_CDROM = re.compile(r"^(ide|sata)\d+:\d+\.fileName$", re.IGNORECASE)

FIRST_NIC = 4000
FIRST_DISK = 2000


@dataclass(frozen=True)
class NicText:
    """One network card as a .vmx tells it."""

    number: int
    mac: str
    network: str = ""
    """Name of a standard portgroup, empty on a distributed switch."""
    switch: str = ""
    portgroup: str = ""
    connected: bool = True


@dataclass(frozen=True)
class VmxText:
    """What the lab reads from a .vmx."""

    name: str
    uuid: str
    guest: str
    nics: tuple[NicText, ...] = ()
    disks: dict[int, str] = field(default_factory=dict)
    """Device key to file name: relative to the .vmx, or an absolute ``/vmfs/volumes/...`` path."""
    location: str = ""
    """uuid.location, which a host compares with where it finds the VM."""
    cdrom: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    annotation: str = ""
    floppy: str | None = None
    hardware: int = 19
    vtpm: bool = False


def parse(text: str) -> dict[str, str]:
    """All ``key = "value"`` lines."""
    return {m.group(1): m.group(2) for line in text.splitlines() if (m := _LINE.match(line))}


def edit(text: str, changes: dict[str, str | None]) -> str:
    """``text`` with keys set, or removed where the new value is None."""
    kept = [line for line in text.splitlines() if not ((m := _LINE.match(line)) and m.group(1) in changes)]
    return "\n".join([*kept, *(f'{k} = "{v}"' for k, v in changes.items() if v is not None)]) + "\n"


def read(text: str) -> VmxText:
    """Understand a .vmx; keys that are missing read as empty."""
    pairs = parse(text)
    return VmxText(
        name=pairs.get("displayName", ""),
        uuid=_uuid(pairs.get("uuid.bios", "")),
        guest=pairs.get("guestOS", "other"),
        nics=tuple(
            sorted((_nic(pairs, m) for key in pairs if (m := _NIC.match(key))), key=lambda n: n.number)
        ),
        disks={_disk_key(m): v for k, v in pairs.items() if (m := _DISK.match(k)) and not v.endswith(".iso")},
        location=_uuid(pairs.get("uuid.location", "")),
        cdrom=next((v for k, v in pairs.items() if _CDROM.match(k) and v.endswith(".iso")), None),
        floppy=pairs.get("floppy0.fileName"),
        hardware=int(pairs.get("virtualHW.version", "19")),
        vtpm=pairs.get("vtpm.present", "").upper() == "TRUE",
        extra={k: v for k, v in pairs.items() if k.startswith(("uuid.action", "guestinfo."))},
        annotation=unquoted(pairs.get("annotation", "")),
    )


def quoted(text: str) -> str:
    """A text of several lines as a .vmx writes it: ``|0A`` for the end of a line."""
    return text.replace("|", "|7C").replace("\n", "|0A").replace('"', "|22")


def unquoted(text: str) -> str:
    """The text that ``quoted`` made of it."""
    return re.sub(r"\|([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)


def disk_key(device: str) -> int:
    """``scsi0:1`` as 2001, vSphere's device key of that slot.

    Raises:
        ValueError: no disk slot.
    """
    match = _DISK.match(device + ".fileName")
    if match is None:
        raise ValueError(f"not a disk slot: {device}")
    return _disk_key(match)


def disk_device(key: int) -> str:
    """``2001`` as ``scsi0:1``."""
    bus, unit = divmod(key - FIRST_DISK, 16)
    return f"scsi{bus}:{unit}"


def _disk_key(match: re.Match[str]) -> int:
    return FIRST_DISK + 16 * int(match.group(2)) + int(match.group(3))


def _nic(pairs: dict[str, str], match: re.Match[str]) -> NicText:
    prefix = f"ethernet{match.group(1)}."
    return NicText(
        int(match.group(1)),
        (pairs.get(prefix + "address") or pairs.get(prefix + "generatedAddress", "")).lower(),
        pairs.get(prefix + "networkName", ""),
        pairs.get(prefix + "dvs.switchId", ""),
        pairs.get(prefix + "dvs.portgroupId", ""),
        pairs.get(prefix + "startConnected", "TRUE").upper() != "FALSE",
    )


def _uuid(spaced: str) -> str:
    digits = re.sub(r"[^0-9a-f]", "", spaced.lower())
    return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))) if digits else ""


def spaced_uuid(uuid: str) -> str:
    """A uuid as .vmx files write it: ``56 4d 0a ... -b1 ...``; switch ids look the same."""
    digits = uuid.replace("-", "")
    pairs = [digits[i : i + 2] for i in range(0, 32, 2)]
    return " ".join(pairs[:8]) + "-" + " ".join(pairs[8:])


def write(vm: VmxText) -> str:
    """The text of a .vmx as a vCenter leaves it on the datastore."""
    lines = {
        ".encoding": "UTF-8",
        "config.version": "8",
        "virtualHW.version": str(vm.hardware),
        "displayName": vm.name,
        "guestOS": vm.guest,
        "uuid.bios": spaced_uuid(vm.uuid),
        "uuid.location": spaced_uuid(vm.location or vm.uuid),
        "memSize": "8192",
        "numvcpus": "2",
        "scsi0.present": "TRUE",
        "scsi0.virtualDev": "pvscsi",
        "nvram": f"{vm.name}.nvram",
        "tools.syncTime": "FALSE",
    }
    for key, file in vm.disks.items():
        device = disk_device(key)
        lines |= {
            f"{device}.present": "TRUE",
            f"{device}.deviceType": "scsi-hardDisk",
            f"{device}.fileName": file,
        }
    if vm.cdrom:
        lines |= {"ide1:0.present": "TRUE", "ide1:0.deviceType": "cdrom-image", "ide1:0.fileName": vm.cdrom}
    if vm.floppy:
        lines |= {"floppy0.present": "TRUE", "floppy0.fileType": "file", "floppy0.fileName": vm.floppy}
    if vm.vtpm:
        lines["vtpm.present"] = "TRUE"
    for nic in vm.nics:
        lines |= nic_lines(nic)
    return "".join(f'{key} = "{value}"\n' for key, value in (lines | vm.extra).items())


def nic_lines(nic: NicText) -> dict[str, str]:
    """The lines of one network card."""
    prefix = f"ethernet{nic.number}."
    lines = {
        prefix + "present": "TRUE",
        prefix + "virtualDev": "vmxnet3",
        prefix + "addressType": "vpx",
        prefix + "generatedAddress": nic.mac,
        prefix + "startConnected": "TRUE" if nic.connected else "FALSE",
    }
    if nic.switch:
        lines |= {
            prefix + "dvs.switchId": nic.switch,
            prefix + "dvs.portId": "0",
            prefix + "dvs.portgroupId": nic.portgroup,
            prefix + "dvs.connectionId": "1",
        }
    else:
        lines[prefix + "networkName"] = nic.network
    return lines
