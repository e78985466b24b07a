"""The inventory as the lab serves it: loopback addresses, ports, resolvers, keys and secrets of this lab."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from drctl.lab.addresses import Addresses, lab_port
from drctl.lab.pki import Pki

Node = dict[str, Any]
"""A mapping of an inventory, as YAML or JSON gives it."""

_PORTS = {"ontap": 443, "vsphere": 443, "dns": 53, "ssh": 22}
_WEB = {"https": 443, "http": 80}


class Rendering:
    """One inventory mapped into one lab; ``inventory`` is the result, ``secrets`` its environment."""

    def __init__(self, source: Node, addresses: Addresses, pki: Pki) -> None:
        self.addresses = addresses
        self.pki = pki
        self.secrets: dict[str, str] = {}
        self.names: set[str] = set()
        """DNS names that clients use to reach something of this estate."""
        self.inventory: Node = self._map(source)
        self._render_endpoints(source.get("endpoints") or {})
        self._render_services()
        for bubble in (self.inventory.get("bubble") or {}).values():
            told = bubble.get("addresses") or {}
            bubble["addresses"] = {addresses.text(str(host)): inside for host, inside in told.items()}

    def _map(self, node: Any) -> Any:
        if isinstance(node, str):
            return self.addresses.text(node)
        if isinstance(node, list):
            return [self._map(each) for each in node]
        if isinstance(node, dict):
            if set(node) == {"env"} and isinstance(node["env"], str):
                self._secret(node["env"])
                return dict(node)
            return {key: self._map(value) for key, value in node.items()}
        return node

    def _secret(self, name: str) -> Node:
        """Invent a value for an environment variable and return the reference to it."""
        self.secrets.setdefault(name, secrets.token_urlsafe(18))
        return {"env": name}

    # --- endpoints ----------------------------------------------------------------------------

    def _render_endpoints(self, originals: Node) -> None:
        for name, endpoint in (self.inventory.get("endpoints") or {}).items():
            kind = endpoint.get("type")
            if kind not in _PORTS:
                continue
            key = "server" if kind == "dns" else "host"
            original = originals[name][key]
            endpoint[key] = self.addresses.host(original)
            if endpoint[key] != self.addresses.text(original):
                self.names.add(original)
            endpoint["port"] = lab_port(int(endpoint.get("port", _PORTS[kind])))
            self._render_keys(name, kind, endpoint)

    def _render_keys(self, name: str, kind: str, endpoint: Node) -> None:
        variable = "LAB_" + name.upper().replace("-", "_").replace(".", "_")
        if kind in ("ontap", "vsphere"):
            endpoint["ca_file"] = "pki/ca.pem"
            endpoint.setdefault("username", "drctl")
            if not _is_env(endpoint.get("password")):
                endpoint["password"] = self._secret(f"{variable}_PASSWORD")
        elif kind == "ssh":
            endpoint["key_file"] = "secrets/id_ed25519"
            endpoint["known_hosts"] = "pki/known_hosts"
        else:
            endpoint["secondaries"] = [self._server(each) for each in endpoint.get("secondaries") or []]
            tsig = endpoint.setdefault("tsig", {"name": "drctl.", "algorithm": "hmac-sha256"})
            if not _is_env(tsig.get("secret")):
                tsig["secret"] = {"env": f"{variable}_TSIG"}
            self.secrets[tsig["secret"]["env"]] = base64.b64encode(secrets.token_bytes(32)).decode()

    def _server(self, text: str) -> str:
        host, _, port = text.partition(":")
        return f"{self.addresses.host(host)}:{lab_port(int(port or 53))}"

    # --- services -----------------------------------------------------------------------------

    def resolver(self) -> str | None:
        """``address:port`` of the first DNS endpoint's primary."""
        for endpoint in (self.inventory.get("endpoints") or {}).values():
            if endpoint.get("type") == "dns":
                return f"{endpoint['server']}:{endpoint['port']}"
        return None

    def _render_services(self) -> None:
        for service in (self.inventory.get("services") or {}).values():
            for check in service.get("checks") or []:
                self._render_check(check.get("uses"), check.setdefault("with", {}))
            for datastore in service.get("datastores") or []:
                for place in (datastore.get("at") or {}).values():
                    if "nfs_server" in place:
                        place["nfs_server"] = self.addresses.host(place["nfs_server"])

    def _render_check(self, uses: str | None, options: Node) -> None:
        resolver = self.resolver()
        if uses == "check.http" and "url" in options:
            options["url"] = self._url(options["url"])
            options["ca_file"] = str(self.pki.ca_file.resolve())
        elif uses == "check.tcp" and "port" in options:
            options["port"] = lab_port(int(options["port"]))
            self._name(options.get("host", ""))
        elif uses == "check.dns":
            options["servers"] = [self._server(each) for each in options.get("servers") or []]
            return
        else:
            return
        if resolver:
            options["resolver"] = resolver

    def _url(self, url: str) -> str:
        parts = urlsplit(url)
        port = lab_port(parts.port or _WEB.get(parts.scheme, 443))
        self._name(parts.hostname or "")
        return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))

    def _name(self, host: str) -> None:
        if host and not host.replace(".", "").isdigit():
            self.names.add(host.rstrip("."))

    # --- writing ------------------------------------------------------------------------------

    def write(self, directory: Path) -> Path:
        """Write the inventory and ``pki/known_hosts``; return the inventory's path."""
        endpoints = (self.inventory.get("endpoints") or {}).items()
        self.pki.write_known_hosts((n, e["host"], e["port"]) for n, e in endpoints if e.get("type") == "ssh")
        path = directory / "inventory.yaml"
        head = "# Written by the lab: the estate at the addresses it really uses. Do not edit.\n"
        path.write_text(
            head + yaml.safe_dump(self.inventory, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        return path


def _is_env(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"env"}
