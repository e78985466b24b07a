"""Two clusters on loopback for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ontap_arrays import Array, Arrays, serve_arrays

from drctl.lab.pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return keys for every lab of this run: making them is what costs time."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def arrays(pki: Pki) -> Iterator[Arrays]:
    """Serve the estate."""
    with serve_arrays(pki) as served:
        yield served


@pytest.fixture
def lyon(arrays: Arrays) -> Array:
    """Return the destination cluster, where relationships are asked."""
    return arrays.lyon


@pytest.fixture
def paris(arrays: Arrays) -> Array:
    """Return the source cluster."""
    return arrays.paris
