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

    type: Literal["vsphere"] = Field("vsphere", description="The provider that speaks to it.")
    host: str = Field(description="Name or address of the vCenter, or of an ESXi host on its own.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(443, description="TCP port of its API.")
    username: str = Field(description="The account, e.g. `drctl@vsphere.local`.")
    password: Secret = Field(description="The account's password, as a reference.")
    ca_file: Path | None = Field(
        None, description="Authorities that may have signed its certificate, PEM; default the machine's own."
    )
    certificate_file: Path | None = Field(
        None, description="That one certificate, PEM, pinned in place of authorities and name."
    )
    connect_timeout: Duration = Field(10.0, description="How long a connection may take to open.")
    call_timeout: Duration = Field(
        120.0, description="How long one call may take; tasks are followed beyond it."
    )
