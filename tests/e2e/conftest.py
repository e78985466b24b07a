"""A lab and somebody who uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed import User


@pytest.fixture
def user(lab: Callable[..., Any], tmp_path: Path) -> Callable[..., User]:
    """Start a lab with faults, and a user of it: ``user("site-down:paris")``."""

    def start(*faults: str, speed: float = 600.0) -> User:
        return User(lab(speed=speed, faults=faults), tmp_path / "home")

    return start
