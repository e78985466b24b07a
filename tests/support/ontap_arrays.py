"""Two clusters on loopback: production in Paris, its mirrors in Lyon, each behind its REST façade."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.lab import ontap, sites
from drctl.lab.addresses import Addresses, Block
from drctl.lab.model import Mirror, Volume
from drctl.lab.net import Net
from drctl.lab.pki import Pki
from drctl.lab.render import Rendering
from drctl.lab.schedule import start_schedules
from drctl.lab.seed import build_estate
from drctl.lab.survey import Survey
from drctl.lab.world import World

SPEED = 600.0


def _place(endpoint: str, svm: str, volume: str, client: str) -> dict[str, Any]:
    policy = {"junction": f"/{volume.removesuffix('_dr')}", "export_policy": "esx", "clients": [client]}
    return {"endpoint": endpoint, "svm": svm, "volume": volume, **policy}


def _volume(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "schedule": "1h",
        "at": {
            "paris": _place("ontap-paris", "svm_prod", name, "192.0.2.31"),
            "lyon": _place("ontap-lyon", "svm_dr", f"{name}_dr", "198.51.100.31"),
        },
    }


def inventory() -> dict[str, Any]:
    """Return an inventory with three mirrored volumes and one CIFS server per site."""
    return {
        "sites": {"paris": {"title": "Production"}, "lyon": {"title": "Standby"}},
        "endpoints": {
            "ontap-paris": {"type": "ontap", "site": "paris", "host": "192.0.2.11", "username": "drctl"},
            "ontap-lyon": {"type": "ontap", "site": "lyon", "host": "198.51.100.11", "username": "drctl"},
        },
        "services": {
            "ris": {
                "volumes": [_volume("ris_vm"), _volume("ris_db")],
                "datastores": [
                    {
                        "name": "ds_ris",
                        "volume": "ris_vm",
                        "at": {
                            "paris": {"nfs_server": "192.0.2.20"},
                            "lyon": {"nfs_server": "198.51.100.20"},
                        },
                    }
                ],
            },
            "pacs": {"volumes": [_volume("pacs_images")]},
        },
        "lab": {
            "production": "paris",
            "cifs": {
                "ontap-paris": {"svm": "svm_prod", "server": "CIFS-PARIS"},
                "ontap-lyon": {"svm": "svm_dr", "server": "CIFS-LYON"},
            },
        },
    }


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Array:
    """One cluster's façade: plain HTTPS calls, and the records behind them."""

    def __init__(self, world: World, endpoint: str, host: str, port: int, ca_file: Path) -> None:
        self.world = world
        self.endpoint = endpoint
        self.cluster = world.estate.clusters[endpoint]
        self.host, self.port, self.ca_file = host, port, ca_file
        self.timeout = 30.0
        self.user, self.password = self.cluster.username, self.cluster.password
        self._tls = ssl.create_default_context(cafile=str(ca_file))

    def call(
        self, method: str, path: str, body: object = None, *, login: str | None = None, **headers: str
    ) -> Answer:
        """Send one request; ``login`` is ``user:password``, empty for none."""
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=self.timeout, context=self._tls
        )
        login = f"{self.user}:{self.password}" if login is None else login
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if login:
            sent["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        try:
            payload = body if isinstance(body, str) or body is None else json.dumps(body)
            connection.request(method, path, payload, sent)
            reply = connection.getresponse()
            text = reply.read()
            return Answer(reply.status, json.loads(text) if text else None, dict(reply.getheaders()))
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Any:
        """GET and return the body of a 200."""
        answer = self.call("GET", path, **headers)
        assert answer.status == 200, str(answer)
        return answer.body

    def records(self, path: str) -> list[dict[str, Any]]:
        """GET a collection's records."""
        return self.get(path)["records"]

    def job(self, answer: Answer) -> dict[str, Any]:
        """Return the job an answer started, once it has ended."""
        href = answer.body["job"]["_links"]["self"]["href"]
        uuid = answer.body["job"]["uuid"]
        assert self.world.wait(lambda: self.cluster.jobs[uuid].ended is not None, 20)
        return self.get(href)

    def mirror(self, destination: str) -> Mirror:
        """Return a relationship's record in the world."""
        return next(m for m in self.cluster.mirrors.values() if m.destination == destination)

    def volume(self, name: str) -> Volume:
        """Return a volume's record in the world."""
        return next(v for v in self.cluster.volumes.values() if v.name == name and v.deleted is None)


@dataclass(frozen=True)
class Arrays:
    """The estate."""

    world: World
    paris: Array
    lyon: Array
    net: Net

    def fault(self, fault: str) -> None:
        """Put a fault in force and let the wires follow."""
        self.world.faults.add(fault)
        self.net.await_settled()


@contextmanager
def serve_arrays(pki: Pki, speed: float = SPEED) -> Iterator[Arrays]:
    """Serve the estate until the block ends."""
    block = Block()
    rendering = Rendering(inventory(), Addresses(block.number), pki)
    world = World(build_estate(Survey(rendering.inventory, rendering.secrets)), speed=speed)
    sites.attach(world)
    start_schedules(world)
    net = Net(world, pki)
    found = {}
    for name, endpoint in rendering.inventory["endpoints"].items():
        ontap.serve(world, net, name, endpoint["host"], endpoint["port"])
        found[name] = Array(world, name, endpoint["host"], endpoint["port"], pki.ca_file)
    net.start()
    try:
        yield Arrays(world, found["ontap-paris"], found["ontap-lyon"], net)
    finally:
        net.stop()
        world.stop()
        block.release()
