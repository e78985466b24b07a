"""Arguments that many actions and probes on vSphere have, with what they mean."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

VmName: TypeAlias = Annotated[str, Field(description="What vCenter calls the virtual machine.")]
DatastoreName: TypeAlias = Annotated[str, Field(description="What vCenter calls the datastore.")]
Cluster: TypeAlias = Annotated[str, Field(description="The vSphere cluster whose hosts are meant.")]
Disposable: TypeAlias = Annotated[
    bool, Field(description="A drill's copy, which goes away as a whole: undoing takes no care of it.")
]
