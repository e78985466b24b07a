"""ONTAP's REST interface over the simulated world, one server per cluster."""

from drctl.lab.ontap.server import serve

__all__ = ["serve"]
