"""One lab per module: the smallest estate, reset before each story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_estate import Site, small_inventory


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from drctl.lab.server import Lab  # noqa: PLC0415 - tests without a lab do not pay for its libraries

    with Lab(small_inventory(), tmp_path_factory.mktemp("lab"), 2000.0) as lab:
        yield Site(lab, tmp_path_factory.mktemp("home"))
