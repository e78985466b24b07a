"""What tests of the vsphere provider share: a step's control with real patience, a server's certificate."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drctl.core.action import Handle
from drctl.core.secret import Secret
from drctl.providers.vsphere.endpoint import VsphereEndpoint

LOOPBACK = "127.0.0.1"


@dataclass
class Patient:
    """A step's control that remembers what it was told and gives up after ``limit`` seconds."""

    limit: float = 30.0
    mark: str = "drctl:run:step"
    said: list[str] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def progress(self, message, fraction=None):
        self.said.append(message)

    def handle(self, handle):
        self.handles.append(handle)

    def override(self, what, why):
        self.overrides.append(f"{what}: {why}")

    def sleep(self, seconds):
        threading.Event().wait(min(seconds, 0.05))

    def remaining(self):
        return self.limit - (time.monotonic() - self.began)


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate for loopback and its key, as files."""

    certificate: Path
    key: Path


def make_identity(folder: Path, name: str, address: str = LOOPBACK) -> Identity:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def make_endpoint(port: int, password: str = "vcsim", **fields: object) -> VsphereEndpoint:
    """Return an endpoint on loopback; ``fields`` add to or replace its own."""
    secret = Secret("env", "VCSIM", lambda kind, place: password)
    plain = {"name": "vc-peer", "site": "lyon", "host": LOOPBACK, "port": port, "username": "drctl"}
    return VsphereEndpoint.model_validate({**plain, "password": secret, **fields})
