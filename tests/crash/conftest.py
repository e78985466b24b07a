"""One lab per module, reset before each run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import yaml
from crash_estate import ROOT, Estate
from nursery import Nursery


@pytest.fixture(scope="module")
def crash_estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    from drctl.lab.server import Lab  # noqa: PLC0415 - tests without a lab do not pay for its libraries

    inventory = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text())
    nursery = Nursery()
    with closing(nursery), Lab(inventory, tmp_path_factory.mktemp("lab"), 2000.0) as lab:
        yield Estate(lab, tmp_path_factory.mktemp("home"), nursery)
