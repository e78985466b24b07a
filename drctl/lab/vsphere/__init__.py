"""The lab's vCenter: SOAP over HTTPS, spoken with pyVmomi's own serialiser, on the world's rules."""

from drctl.lab.vsphere.service import serve

__all__ = ["serve"]
