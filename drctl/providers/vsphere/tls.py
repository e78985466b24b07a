"""Whom to trust: a vCenter's certificate is verified by its authorities or pinned, never skipped."""

from __future__ import annotations

import ssl
from pathlib import Path

from drctl.core.problem import Problem, ProviderError
from drctl.providers.vsphere.endpoint import VsphereEndpoint


def make_context(endpoint: VsphereEndpoint) -> ssl.SSLContext:
    """Return the context for every connection to a vCenter.

    pyVmomi's own thumbprints are not used: they are looked at only after a verification error and
    then switch verification off on the shared context (measured with 9.1.1.0).

    Raises:
        ProviderError: a certificate file cannot be read.
    """
    path = endpoint.certificate_file or endpoint.ca_file
    try:
        if endpoint.certificate_file:
            return _pinned(endpoint.certificate_file)
        return ssl.create_default_context(cafile=endpoint.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(
            Problem(
                code="certificate-file",
                summary=f"cannot use the certificate file {path}: {error.strerror or error}",
                hint=f"Correct ca_file or certificate_file of {endpoint.name} in the inventory.",
                endpoint=endpoint.name,
            )
        ) from error


def _pinned(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the pin names one certificate; its names do not matter
    context.load_verify_locations(path)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def pinned_certificates(path: Path) -> frozenset[bytes]:
    """Return the DER form of each certificate in a PEM file; raise ``OSError`` when unreadable."""
    text = path.read_text(encoding="ascii", errors="replace")
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = [part.partition(end)[0] for part in text.split(start)[1:]]
    return frozenset(ssl.PEM_cert_to_DER_cert(start + part + end) for part in parts)
