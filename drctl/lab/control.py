"""The control socket of a lab: one JSON object per line in, one per line out."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from drctl.lab.faults import UnknownFault

if TYPE_CHECKING:
    from drctl.lab.server import Lab

_CONDITIONS = ("idle", "booted", "settled", "dns")


class Control:
    """Serves ``{"do": NAME, ...}``; answers ``{"ok": true, ...}`` or ``{"ok": false, "error": TEXT}``.

    - ``status`` (``live``): world, mutations, connections
    - ``fault`` / ``lift`` (``name``), ``faults`` in force, ``breakable``: every fault and target there is
    - ``advance`` (``seconds``): skip waiting
    - ``wait`` (``condition``, ``timeout`` in real seconds): ``idle`` (no job, task or transfer runs),
      ``booted`` (every running VM has booted), ``dns`` (secondaries follow), ``settled`` (all of them)
    - ``info``: inventory, secrets, speed
    - ``reset``, ``stop``
    """

    def __init__(self, lab: Lab, path: Path) -> None:
        self._lab = lab
        self._path = path
        self.stopped = lab.stopped
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(16)
        self._closing = Event()
        self._thread = Thread(target=self._accept, name="lab-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(client,), name="lab-control-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as stream, contextlib.suppress(OSError):
            for line in stream:
                answer = self._answer(line)
                stream.write(json.dumps(answer).encode() + b"\n")
                stream.flush()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            order = json.loads(line)
            do = self._verbs().get(order.get("do", ""))
            if do is None:
                return {"ok": False, "error": f"unknown order; known are {', '.join(sorted(self._verbs()))}"}
            return {"ok": True, **do(order)}
        except (ValueError, KeyError, TypeError, AttributeError, UnknownFault) as problem:
            return {"ok": False, "error": str(problem) or type(problem).__name__}

    def _verbs(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "status": lambda order: self._lab.status(live=bool(order.get("live"))),
            "fault": self._fault,
            "lift": lambda order: {"lifted": self._lab.lift(order["name"])},
            "faults": lambda _: {"faults": self._lab.world.faults.listing()},
            "breakable": lambda _: dict(self._lab.breakable()),
            "advance": self._advance,
            "wait": self._wait,
            "info": lambda _: self._lab.info(),
            "reset": self._reset,
            "stop": self._stop,
        }

    def _fault(self, order: dict[str, Any]) -> dict[str, Any]:
        self._lab.fault(order["name"])
        return {"faults": self._lab.world.faults.listing()}

    def _advance(self, order: dict[str, Any]) -> dict[str, Any]:
        self._lab.world.advance(float(order["seconds"]))
        return {}

    def _wait(self, order: dict[str, Any]) -> dict[str, Any]:
        condition = order.get("condition", "settled")
        if condition not in _CONDITIONS:
            raise ValueError(f"unknown condition {condition!r}; known are {', '.join(_CONDITIONS)}")
        return {"reached": self._lab.wait(condition, float(order.get("timeout", 30)))}

    def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        self._lab.reset()
        return {}

    def _stop(self, _: dict[str, Any]) -> dict[str, Any]:
        self.stopped.set()
        return {}


def ask(path: Path, do: str, timeout: float = 60.0, **order: object) -> dict[str, Any]:
    """Send one order to a control socket and return its answer.

    Raises:
        OSError: nobody listens there.
        ValueError: the lab closed the connection without an answer.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(str(path))
        client.sendall(json.dumps({"do": do, **order}).encode() + b"\n")
        with client.makefile("rb") as stream:
            answer: dict[str, Any] = json.loads(stream.readline())
            return answer
