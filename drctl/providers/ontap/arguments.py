"""Arguments that many actions and probes on ONTAP have, with what they mean."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from drctl.core.duration import Duration

SvmName: TypeAlias = Annotated[str, Field(description="Name of the SVM (storage virtual machine).")]
VolumeName: TypeAlias = Annotated[str, Field(description="Name of the volume, as its SVM knows it.")]
QuiesceTimeout: TypeAlias = Annotated[
    Duration, Field(description="How long a transfer under way may take to end before it is aborted.")
]
Override: TypeAlias = Annotated[
    bool, Field(description="Whether to force the break, and say so, when ONTAP's own checks refuse it.")
]
