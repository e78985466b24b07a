"""Clients of every kind, pointed at a scripted array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_array import Array, Clock, Recorder

from drctl.core.provider import Access
from drctl.lab.pki import Pki
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import OntapEndpoint


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that signed nothing here."""
    return Pki(tmp_path_factory.mktemp("other")).ca_file


@pytest.fixture
def array(pki: Pki) -> Iterator[Array]:
    made = Array(pki)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def control(clock: Clock) -> Recorder:
    return Recorder(clock)


@pytest.fixture
def connect(array: Array, clock: Clock) -> Iterator[Callable[..., Client]]:
    """Open clients to the array; ``connect(access=..., ca_file=...)``."""
    made: list[Client] = []

    def open_client(access: Access = Access.WRITE, **fields: Any) -> Client:
        given = {"host": "127.0.0.1", "port": array.port, "ca_file": array.ca_file, **fields}
        endpoint = OntapEndpoint.model_validate(
            {"name": "array", "type": "ontap", "site": "lyon", "username": "drctl", "password": {"env": "X"}}
            | given,
            context={"resolve": lambda kind, place: "s3cret"},
        )
        made.append(Client(endpoint, access, clock))
        return made[-1]

    yield open_client
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()
