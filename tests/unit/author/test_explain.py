"""``drctl explain`` and ``drctl schema``: what actions and files are, read off their classes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, JsonValue

from drctl.app.catalog import as_document, describe, load_examples, names
from drctl.app.fields import describe_fields, write_duration
from drctl.cli.explain import entry_lines, list_lines
from drctl.core.action import Action, Change, ObjectRef, Reversibility
from drctl.core.duration import Duration
from drctl.core.problem import DrctlError
from drctl.core.provider import Registry
from drctl.core.secret import Secret
from drctl.runbook.model import Expression

DRCTL = str(Path(sys.executable).with_name("drctl"))


class Wish(BaseModel):
    """A wish."""

    name: str
    much: int = 3


class Turn(Action[object, int]):
    """Turn a valve.

    Only ``once`` a day.
    """

    name: ClassVar[str] = "plant.turn"
    reversibility: ClassVar[Reversibility] = Reversibility.IRREVERSIBLE
    convergent: ClassVar[bool] = False
    state: ClassVar[type] = int

    valve: str
    way: Literal["open", "closed"] = "open"
    wait: Duration = 90.0
    longest: Duration | None = None
    wishes: tuple[Wish, ...] = ()
    code: Secret | None = None

    def touches(self) -> frozenset[ObjectRef]:
        """Name the valve."""
        return frozenset({ObjectRef("valve", self.valve)})

    def read(self, client: object) -> int:
        """Look; raise ``ProviderError`` when it is dark."""
        return 0

    def diff(self, now: int) -> Change | None:
        """Return what is left, None when it is open."""
        return None

    def apply(self, client, change, control) -> None:
        """Turn it."""


class Plant:
    name = "plant"
    endpoint = None
    actions: ClassVar[Mapping] = {"plant.turn": Turn}
    probes: ClassVar[Mapping] = {}

    @contextmanager
    def connect(self, endpoint, access) -> Iterator[object]:
        yield object()


@pytest.fixture
def plant():
    return Registry({"plant": Plant()})


def test_fields_are_described_in_the_words_of_the_file():
    rows = {row.name: row for row in describe_fields(Turn)}
    assert [(row.type, row.required, row.default) for row in rows.values()] == [
        ("text", True, ""),
        ("open or closed", False, "open"),
        ("duration", False, "90s"),
        ("duration", False, ""),
        ("list of {name, much}", False, ""),
        ("secret", False, ""),
    ]


class Said(BaseModel):
    """Types that have a word of their own."""

    when: Expression
    waves: Expression | tuple[Expression, ...] | None = None
    modes: tuple[Literal["one", "two", "three"], ...] = ()
    given: dict[str, JsonValue] = {}
    each: dict[str, dict[str, int]] = {}
    file: Path | None = None
    instant: datetime | None = None


def test_types_have_words_of_their_own():
    assert {row.name: row.type for row in describe_fields(Said)} == {
        "when": "expression",
        "waves": "expression or list of expression",
        "modes": "list of one, two or three",
        "given": "mapping",
        "each": "mapping of mapping of whole number",
        "file": "path",
        "instant": "time",
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.5, "0.5s"), (90, "90s"), (300, "5m"), (7200, "2h"), (86400, "1d")]
)
def test_durations_are_written_as_in_files(seconds, text):
    assert write_duration(seconds) == text


def test_an_action_of_somebody_else_is_explained_too(plant):
    entry = describe(plant, "plant.turn")
    assert entry.summary == "Turn a valve."
    assert entry.details == "Only ``once`` a day."
    assert entry.reads == "Look; fails when it is dark."
    assert entry.done == "What is left, nothing when it is open."
    assert entry.repeat == "no: after a crash a person is asked"
    assert entry.touches == ("Name the valve.",)
    assert entry.undo == ""
    assert entry.example == ""
    assert load_examples(plant, "plant") == {}
    assert "Undo: none is derived" in list(entry_lines(entry))


def test_the_list_has_a_line_each():
    listed = names(Registry())
    lines = list(list_lines(listed))
    assert len(lines) == len(listed)
    assert all(line.split()[0] in listed for line in lines)


def test_an_example_shows_what_it_touches():
    entry = describe(Registry(), "ontap.snapmirror.break")
    assert entry.touches == ("mirror svm_dr:pacs_vm_dr", "volume svm_dr:pacs_vm_dr")
    text = "\n".join(entry_lines(entry))
    assert "  - id: break\n    uses: ontap.snapmirror.break\n" in text
    assert "``" not in text


def test_a_probe_says_how_it_judges():
    labels = [line.split(":")[0] for line in entry_lines(describe(Registry(), "check.http"))]
    assert "Judges" in labels
    assert "Changes" not in labels


def test_a_misspelt_name_gets_the_near_one():
    with pytest.raises(DrctlError) as raised:
        describe(Registry(), "ontap.snapmirror.brek")
    assert raised.value.problems[0].hint == "Did you mean 'ontap.snapmirror.break'? drctl explain lists all."


def test_entries_are_json():
    document = as_document(describe(Registry(), "ssh.run"))
    assert json.loads(json.dumps(document))["inputs"][0] == {
        "name": "command",
        "type": "list of text",
        "required": True,
        "default": "",
        "help": "Program and arguments, one each; no shell reads them.",
    }


def drctl(*arguments):
    return subprocess.run([DRCTL, *arguments], capture_output=True, text=True, check=False)


def test_explain_ends_with_2_for_what_does_not_exist():
    done = drctl("explain", "ontap.volume.mout")
    assert done.returncode == 2
    assert "ontap.volume.mount" in done.stderr


@pytest.mark.parametrize("kind", ["runbook", "inventory", "answers"])
def test_schemas_are_printed(kind):
    schema = json.loads(drctl("schema", kind).stdout)
    assert schema["title"] == f"drctl {kind}"
    assert "kind" in schema["properties"]


def test_an_unknown_schema_is_bad_usage():
    assert drctl("schema", "journal").returncode == 2
