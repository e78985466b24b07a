"""vSphere faults in words: what was refused, why, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from drctl.core.problem import Problem, ProviderError

WRITABLE: Final = "Check that the datastore is accessible and not read-only, as an unbroken mirror is."

TAKEN: Final = (
    "Something of that name or from that file is registered there: look at it, then rename or unregister it."
)

MOUNTABLE: Final = (
    "Check that the export exists, is mounted in its SVM and admits the host's vmkernel address, "
    "and that the host may mount more (NFS.MaxVolumes)."
)

HINTS: Final[Mapping[str, str]] = {
    "AlreadyExists": TAKEN,
    "CannotAccessFile": WRITABLE,
    "DuplicateName": TAKEN,
    "EncryptionKeyRequired": "Set up the key provider of the VM's home in this vCenter; vsphere.vm.fits asks before.",
    "FileFault": WRITABLE,
    "FileLocked": "Another host may run this VM, or hold its files: power it off there.",
    "GenericVmConfigFault": WRITABLE,
    "ConcurrentAccess": "Somebody else changed it in the meantime; try again.",
    "InvalidGuestLogin": "Check the guest's user name and password.",
    "InvalidLogin": "Check username and password of the endpoint, and that its SSO domain is up.",
    "NoPermission": "Give drctl's vCenter role the privilege named.",
    "PlatformConfigFault": MOUNTABLE,
    "HostConfigFault": MOUNTABLE,
    "ResourceInUse": "Power off and unregister what still uses it.",
    "VirtualHardwareVersionNotSupported": "Update the hosts, or run it on newer ones; vsphere.vm.fits asks before.",
    "DeviceBackingNotSupported": "Map the LUN that this disk stands for to these hosts, or remove the disk.",
    "ToolsUnavailable": "VMware Tools do not run in the guest.",
    "GuestOperationsUnavailable": "Wait until VMware Tools run in the guest.",
}

TRANSIENT: Final = frozenset(
    {
        "ConcurrentAccess",
        "GuestOperationsUnavailable",
        "HostCommunication",
        "TaskInProgress",
        "ToolsUnavailable",
    }
)


def name_of(fault: Any) -> str:
    """Return a fault's type name without its namespace, e.g. ``AlreadyExists``."""
    return type(fault).__name__.rpartition(".")[2]


def message_of(fault: Any) -> str:
    """Return all that a fault says: its message, the localised causes, or its type in words."""
    texts = [getattr(fault, "msg", None) or ""]
    texts += [cause.message or "" for cause in getattr(fault, "faultMessage", None) or ()]
    said = [text.strip() for text in dict.fromkeys(texts) if text.strip()]
    for field in ("reason", "text"):  # a PlatformConfigFault says in ``text`` what ESXi itself said
        more = getattr(fault, field, None)
        if isinstance(more, str) and more and more not in said:
            said.append(more)
    privilege = getattr(fault, "privilegeId", None)
    if privilege:
        said.append(f"privilege {privilege}")
    return "; ".join(said) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name_of(fault)).lower()


def explain(what: str, fault: Any, endpoint: str, hint: str = "") -> ProviderError:
    """Return the error for a fault; it was refused, so nothing has happened."""
    name = name_of(fault)
    return ProviderError(
        Problem(
            code=f"vsphere-{re.sub(r'(?<=[a-z])(?=[A-Z])', '-', name).lower()}",
            summary=f"{what}: {message_of(fault)}",
            detail=name,
            hint=hint or HINTS.get(name, ""),
            endpoint=endpoint,
        ),
        transient=name in TRANSIENT,
    )


def refuse(code: str, summary: str, detail: str = "", hint: str = "") -> ProviderError:
    """Return the error for something that drctl itself will not do."""
    return ProviderError(Problem(code=code, summary=summary, detail=detail, hint=hint))
