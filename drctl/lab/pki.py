"""Keys of a lab: a certificate authority, certificates per address, SSH host keys, the client's key."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM
_PLAIN = serialization.NoEncryption()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _PLAIN)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Pki:
    """Makes keys on first use and writes them below ``directory`` (``pki/`` and ``secrets/``)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca_file = directory / "pki" / "ca.pem"
        self.known_hosts = directory / "pki" / "known_hosts"
        self.client_key = directory / "secrets" / "id_ed25519"
        for folder, mode in (("pki", 0o755), ("secrets", 0o700), ("pki/server", 0o700)):
            (directory / folder).mkdir(mode=mode, parents=True, exist_ok=True)
        self._lock = Lock()
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self._hosts: dict[str, Path] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = self._make_authority()
        self.ca_file.write_bytes(self._authority.public_bytes(_PEM))
        self.client_public = self._make_ssh_key(self.client_key)

    def _make_authority(self) -> x509.Certificate:
        now = datetime.now(UTC)
        name = _subject("drctl lab authority")
        public = self._key.public_key()
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder(name, name, public, x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(usage, critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())

    def context(self, address: str, names: Iterable[str] = (), *, expired: bool = False) -> ssl.SSLContext:
        """A server-side TLS context for an address and the DNS names it answers to."""
        with self._lock:
            known = self._contexts.get((address, expired))
            if known is None:
                known = self._contexts[(address, expired)] = self._make_context(
                    address, names, expired=expired
                )
            return known

    def _make_context(self, address: str, names: Iterable[str], *, expired: bool) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        ends = now - timedelta(hours=1) if expired else now + timedelta(days=29)
        public = self._key.public_key()
        alternatives = [x509.IPAddress(ip_address(address)), *(x509.DNSName(n) for n in sorted(set(names)))]
        certificate = (
            x509.CertificateBuilder(
                self._authority.subject, _subject(address), key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self.directory / "pki" / "server" / f"{address}{'-expired' if expired else ''}.pem"
        path.write_bytes(_private_pem(key) + certificate.public_bytes(_PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _make_ssh_key(self, path: Path) -> str:
        """Write an Ed25519 key in OpenSSH's format; return the public half as one line."""
        key = ed25519.Ed25519PrivateKey.generate()
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, _PLAIN))
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return public.decode("ascii")

    def host_key(self, endpoint: str, *, changed: bool = False) -> Path:
        """The SSH host key of an endpoint; with ``changed`` another one that ``known_hosts`` does not hold."""
        name = f"{endpoint}-changed" if changed else endpoint
        with self._lock:
            if name not in self._hosts:
                path = self.directory / "pki" / "server" / f"ssh-{name}"
                path.with_suffix(".pub").write_text(self._make_ssh_key(path) + "\n", encoding="ascii")
                self._hosts[name] = path
            return self._hosts[name]

    def write_known_hosts(self, hosts: Iterable[tuple[str, str, int]]) -> None:
        """Write ``known_hosts`` for (endpoint, address, port)."""
        lines = []
        for endpoint, address, port in hosts:
            public = self.host_key(endpoint).with_suffix(".pub").read_text(encoding="ascii").strip()
            lines.append(f"[{address}]:{port} {public}\n" if port != 22 else f"{address} {public}\n")
        self.known_hosts.write_text("".join(lines), encoding="ascii")
