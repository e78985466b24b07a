"""Everything that can be done to a VM, for the façade: ``hardware``, ``power`` and ``reach`` under one name."""

from drctl.lab.hardware import (
    NicChange,
    VmChange,
    network_of,
    reconfigure,
    register,
    unregister,
)
from drctl.lab.power import (
    BOOT_TIME,
    CHOICES,
    WINDOWS_BOOT_TIME,
    answer,
    check_login,
    pending_task,
    power_off,
    power_on,
    set_guest_ip,
    shutdown_guest,
)
from drctl.lab.reach import View, connection_state, duplicates, prefix_of, trouble

__all__ = [
    "BOOT_TIME",
    "CHOICES",
    "WINDOWS_BOOT_TIME",
    "NicChange",
    "View",
    "VmChange",
    "answer",
    "check_login",
    "connection_state",
    "duplicates",
    "network_of",
    "pending_task",
    "power_off",
    "power_on",
    "prefix_of",
    "reconfigure",
    "register",
    "set_guest_ip",
    "shutdown_guest",
    "trouble",
    "unregister",
]
