"""The contract that every action of every provider keeps, against the lab.

Each provider's examples are in ``examples/<provider>.py``; an action without one fails here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from contract import Example

from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.core.provider import Access, Registry

FOLDER = Path(__file__).parent / "examples"


def load_examples() -> list[Example]:
    found: list[Example] = []
    for path in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"contract_examples_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += module.EXAMPLES
    return found


EXAMPLES = load_examples()
ALL = pytest.mark.parametrize("example", EXAMPLES, ids=str)
SETTLING = pytest.mark.parametrize("example", [e for e in EXAMPLES if e.settles], ids=str)


@pytest.mark.parametrize("provider", Registry().names())
def test_every_action_has_an_example(provider):
    actions = set(Registry().provider(provider).actions)
    assert actions <= {example.uses for example in EXAMPLES}


@SETTLING
def test_nothing_is_left_after_apply(bench, example):
    stand = bench(example)
    action = stand.action
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None, "the example changes nothing"
        assert change.summary
        assert change.fields
        assert all(field.before != field.after for field in change.fields)
        action.apply(client, change, stand.control())
        assert stand.left_to_do(action, client) is None
        outputs = action.outputs(action.read(client))
    assert outputs.keys() == action.output_names
    assert all(outputs[name] == value for name, value in action.foresee().items())
    assert stand.mutations(), "the lab's log of mutating calls saw nothing"


@SETTLING
def test_what_is_done_is_not_done_again(bench, example):
    stand = bench(example)
    stand.run(stand.action)
    before = stand.mutations()
    stand.run(stand.action)
    assert stand.mutations() == before


@SETTLING
def test_applying_twice_is_applying_once(bench, example):
    """After a crash the same change may be sent again; it is refused or harmless."""
    stand = bench(example)
    action = stand.action
    if not action.is_convergent():
        return
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None
        action.apply(client, change, stand.control())
        assert stand.left_to_do(action, client) is None
        done = action.outputs(action.read(client))
        try:
            action.apply(client, change, stand.control())
        except ProviderError as error:
            assert not error.effect_unknown  # noqa: PT017 - both ways are right; this is about the second
        assert stand.left_to_do(action, client) is None
        again = action.outputs(action.read(client))
    assert {**again, "serial": 0} == {**done, "serial": 0}


@ALL
def test_reading_changes_nothing_and_a_reader_cannot_apply(bench, example):
    stand = bench(example)
    action = stand.action
    before = stand.mutations()
    with stand.connect(Access.READ) as client:
        change = action.diff(action.read(client))
        action.read_many([action, action], client)
        assert change is not None
        assert stand.mutations() == before
        with pytest.raises(ReadOnlyError):
            action.apply(client, change, stand.control())
    assert stand.mutations() == before


@SETTLING
def test_undo_brings_back_what_was_there(bench, example):
    stand = bench(example)
    action = stand.action
    with stand.connect(Access.WRITE) as client:
        before = action.read(client)
        change = action.diff(before)
        assert change is not None
        recipe = action.undo(before, change)
        assert (recipe is not None) == example.undone
        if recipe is None:
            return
        action.apply(client, change, stand.control())
        assert stand.left_to_do(action, client) is None
    stand.run(stand.undo(recipe))
    with stand.connect(Access.READ) as client:
        again = action.diff(action.read(client))
    assert again is not None
    assert again.fields == change.fields


@SETTLING
def test_a_lost_reply_converges(bench, example):
    stand = bench(example)
    action = stand.action
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None
        stand.world.faults.add(f"reply-lost:{example.endpoint}:once")
        try:
            action.apply(client, change, stand.control())
        except ProviderError as error:
            # What was lost may be the answer to a preparation; and a client may recover by itself.
            assert error.effect_unknown or error.transient, error.problem  # noqa: PT017 - whether it raises is not the question
        assert not stand.world.faults.active("reply-lost", example.endpoint), "no reply was lost"
    with stand.connect(Access.WRITE) as client:
        if stand.left_to_do(action, client) is not None:
            stand.run(action)
        assert action.diff(action.read(client)) is None
