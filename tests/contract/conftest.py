"""A lab of its own for each test, and an operator's hand to drive one action with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract import Example

from drctl.core.action import MARK, OUTPUT, Action, Change, Handle, Recipe
from drctl.core.provider import Access, Registry
from drctl.lab.server import Lab

ROOT = Path(__file__).parents[2]
PATIENCE = 1800.0
"""Estate seconds after which a change that does not settle is a failure."""

_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")


@dataclass
class LabControl:
    """Waits by advancing the lab's clock, so that nothing sleeps."""

    world: Any
    left: float = PATIENCE
    said: list[str] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    mark: str = "drctl:contract:step"

    def progress(self, message, fraction=None):
        self.said.append(message)

    def handle(self, handle):
        self.handles.append(handle)

    def override(self, what, why):
        self.said.append(f"override: {what}: {why}")

    def sleep(self, seconds):
        self.left -= seconds
        self.world.advance(seconds)

    def remaining(self):
        return self.left


class Bench:
    """One lab, one example: reads, applies and looks at the lab's mutating-call log."""

    def __init__(self, lab: Lab, example: Example) -> None:
        self.lab = lab
        self.world = lab.world
        self.example = example
        self.registry = Registry()
        self._folder = Path(lab.inventory).parent
        self.inventory = yaml.safe_load(Path(lab.inventory).read_text())
        self._mapped = dict(
            _pairs(yaml.safe_load((ROOT / "inventories/lab.yaml").read_text()), self.inventory)
        )
        if example.prepare:
            example.prepare(self.world)
        for earlier in example.after:
            self.run(self.build(earlier.uses, earlier.arguments), earlier.endpoint)

    def build(self, uses: str, arguments: Mapping[str, Any]) -> Action[Any, Any]:
        found = self.registry.find(uses)
        assert found is not None, f"no action is called {uses}"
        assert issubclass(found, Action)
        written = _ADDRESS.sub(
            lambda match: self._mapped.get(match[0], match[0]), json.dumps(dict(arguments))
        )
        context = {"resolve": lambda kind, place: self.lab.secrets[place]}
        return found.model_validate(json.loads(written), context=context)

    @property
    def action(self) -> Action[Any, Any]:
        return self.build(self.example.uses, self.example.arguments)

    def mapped(self, address: str) -> str:
        """Return what the lab serves in place of an address of the shipped inventory."""
        return self._mapped[address]

    def connect(
        self, access: Access, endpoint: str | None = None, **changes: Any
    ) -> AbstractContextManager[Any]:
        name = endpoint or self.example.endpoint
        fields = dict(self.inventory["endpoints"][name], name=name, **changes)
        for path in ("ca_file", "key_file", "known_hosts"):
            if path in fields:
                fields[path] = str((self._folder / fields[path]).resolve())
        provider = self.registry.provider(fields["type"])
        assert provider.endpoint is not None
        context = {"resolve": lambda kind, place: self.lab.secrets[place]}
        return provider.connect(provider.endpoint.model_validate(fields, context=context), access)

    def control(self) -> LabControl:
        return LabControl(self.world)

    def mutations(self) -> list[tuple[str, str, str]]:
        with self.world.lock:
            return [(entry.facade, entry.call, entry.target) for entry in self.world.estate.mutations]

    def left_to_do(self, action: Action[Any, Any], client: Any) -> Change | None:
        """Read until nothing is left or patience ends; return what is left."""
        control = self.control()
        while True:
            change = action.diff(action.read(client))
            if change is None or control.remaining() <= 0:
                return change
            control.sleep(5)

    def run(self, action: Action[Any, Any], endpoint: str | None = None) -> None:
        """Apply what is to do and wait until it is done."""
        with self.connect(Access.WRITE, endpoint) as client:
            change = action.diff(action.read(client))
            if change is not None:
                action.apply(client, change, self.control())
                assert not self.example.settles or self.left_to_do(action, client) is None

    def undo(self, recipe: Recipe) -> Action[Any, Any]:
        found = self.registry.find(recipe.uses)
        assert found is not None
        assert issubclass(found, Action)
        context = {"resolve": lambda kind, place: self.lab.secrets[place]}
        # As the engine fills it in for a step of which the journal holds no end.
        known = {
            name: LabControl.mark if value == MARK else value
            for name, value in recipe.arguments.items()
            if not str(value).startswith(OUTPUT)
        }
        return found.model_validate(known, context=context)


def _pairs(source: Any, served: Any) -> Iterator[tuple[str, str]]:
    """Yield (address in the shipped inventory, address the lab serves), found side by side."""
    if isinstance(source, dict) and isinstance(served, dict):
        for key in source.keys() & served.keys():
            yield from _pairs(source[key], served[key])
    elif isinstance(source, list) and isinstance(served, list):
        for one, other in zip(source, served, strict=False):
            yield from _pairs(one, other)
    elif isinstance(source, str) and isinstance(served, str):
        yield from zip(_ADDRESS.findall(source), _ADDRESS.findall(served), strict=False)


@pytest.fixture
def bench(tmp_path) -> Iterator[Callable[[Example], Bench]]:
    labs: list[Lab] = []

    def start(example: Example, speed: float = 60.0) -> Bench:
        lab = Lab(yaml.safe_load((ROOT / "inventories/lab.yaml").read_text()), tmp_path, speed=speed)
        lab.__enter__()
        labs.append(lab)
        return Bench(lab, example)

    yield start
    for lab in labs:
        lab.__exit__(None, None, None)
