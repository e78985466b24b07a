"""What an inventory says about a vCenter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drctl.core.duration import Duration
from drctl.core.provider import Endpoint
from drctl.core.secret import Secret


class VsphereEndpoint(Endpoint):
    """A vCenter, or an ESXi host on its own.

    ``ca_file`` holds the authorities that may have signed its certificate; ``certificate_file`` pins
    that one certificate instead, whatever names it bears. Without either, the machine's own
    authorities count. Timeouts are seconds; ``call_timeout`` bounds one call, not a task.
    """

    default_concurrency: ClassVar[int] = 16

    type: Literal["vsphere"] = "vsphere"
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    username: str
    password: Secret
    ca_file: Path | None = None
    certificate_file: Path | None = None
    connect_timeout: Duration = 10.0
    call_timeout: Duration = 120.0
