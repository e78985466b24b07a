"""Arguments that many actions and probes on ONTAP have, with what they mean."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

SvmName: TypeAlias = Annotated[str, Field(description="Name of the SVM (storage virtual machine).")]
VolumeName: TypeAlias = Annotated[str, Field(description="Name of the volume, as its SVM knows it.")]
