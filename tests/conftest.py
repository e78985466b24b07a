"""What every test stands on: labs on demand, nothing but loopback, code shared through tests/support."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

# A machine that does something else beside may take long over one example; that is no finding.
settings.register_profile("drctl", deadline=None)
settings.load_profile("drctl")

FAST = 600.0
"""Estate seconds per second: a transfer takes 0.4 s, a boot 0.1 s."""


if "PYTEST_XDIST_WORKER" in os.environ:  # workers are traced; labs and commands they start would cost double
    for _name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        del os.environ[_name]


def _is_local(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _stay_local(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        family, address = arguments[0].family, arguments[1]
        if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise PermissionError(f"a test tried to reach {address}: only loopback is allowed")
    elif event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        raise PermissionError(f"a test tried to resolve {arguments[0]!r}: only loopback is allowed")


sys.addaudithook(_stay_local)


@pytest.fixture
def lab_inventory() -> dict[str, Any]:
    """The shipped estate, freshly read: a test may change it."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def lab(
    lab_inventory: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Any]]:
    """Start labs in this process; all are stopped at the end: ``lab(speed=..., faults=[...], inventory=...)``."""
    from drctl.lab.server import Lab  # noqa: PLC0415 - tests without a lab do not pay for its libraries

    with ExitStack() as stack:

        def start(
            inventory: dict[str, Any] | None = None, *, speed: float = FAST, faults: tuple[str, ...] = ()
        ) -> Lab:
            directory = tmp_path_factory.mktemp("lab")
            return stack.enter_context(Lab(inventory or lab_inventory, directory, speed, faults))

        yield start


@pytest.fixture
def no_ca_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """For clients that are not ours: these variables override the ``verify`` they are given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
