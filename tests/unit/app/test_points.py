"""Chosen recovery points become steps: clones, volumes rolled back, and what may be deleted by whose word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from installed import ROOT, SHIPPED

from drctl.app.case import Case, Files, load_case
from drctl.app.context import system_context
from drctl.app.in_place import agreed_to
from drctl.app.points import AGREED, CHOSEN, GIVEN_UP, ROLLED_BACK, read_agreed
from drctl.app.zero_loss import refuse_unsealed
from drctl.core.clock import SystemClock
from drctl.core.deletions import ROLLS_BACK, Deletion
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.step import Mode, Use
from drctl.engine.template import Arguments

INVENTORY = ROOT / "inventories" / "lab.yaml"
MOVED = ROOT / "tests" / "crash" / "moved.yaml"
NOW = SystemClock().now()


def load(home: Path, given: dict[str, Any], mode: Mode = "failover", runbook: Path = SHIPPED) -> Case:
    return load_case(system_context(home), Files(runbook, INVENTORY), mode, given)


def breaks(case: Case) -> dict[str, tuple[str, dict[str, Any]]]:
    """What serves each volume: the action without its provider, and its arguments."""
    found = {}
    for step in case.expansion.steps:
        if isinstance(step.body, Use) and step.id.endswith("].break"):
            assert isinstance(step.body.arguments, Arguments)
            found[step.item or ""] = (step.body.uses, dict(step.body.arguments.tree))
    return found


def refused(home: Path, given: dict[str, Any], mode: Mode = "failover") -> str:
    with pytest.raises(DrctlError) as refusal:
        load(home, given, mode)
    assert refusal.value.exit_code is ExitCode.USAGE
    return str(refusal.value.problems[0].summary)


@pytest.mark.parametrize(("mine", "theirs"), [(CHOSEN, ROLLED_BACK), (ROLLED_BACK, CHOSEN)])
def test_a_volumes_own_choice_goes_before_its_services_whichever_way(
    tmp_path: Path, mine: str, theirs: str
) -> None:
    served = breaks(load(tmp_path, {mine: "pacs_images=old", theirs: "pacs=older"}))
    ways = {CHOSEN: "ontap.volume.clone", ROLLED_BACK: ROLLS_BACK}
    assert (served["pacs_images"][0], served["pacs_images"][1]["snapshot"]) == (ways[mine], "old")
    assert (served["pacs_vm"][0], served["pacs_vm"][1]["snapshot"]) == (ways[theirs], "older")
    assert served["ris_vm"][0] == "ontap.snapmirror.break"


def test_what_the_runbook_says_of_the_break_still_holds_and_nothing_may_be_deleted_yet(
    tmp_path: Path,
) -> None:
    case = load(tmp_path, {ROLLED_BACK: "pacs_vm=old"})
    uses, arguments = breaks(case)["pacs_vm"]
    assert uses == ROLLS_BACK
    assert arguments["quiesce_timeout"] == "60s"
    assert "may_delete" not in arguments
    looks = {step.id for step in case.expansion.prechecks}
    assert {"points[pacs_vm]", "vault-points[pacs_vm]"} <= looks
    assert not any(look.startswith("points[ris") for look in looks)


def test_what_somebody_agreed_to_is_pinned_and_comes_back_with_the_run(tmp_path: Path) -> None:
    case = load(tmp_path, {ROLLED_BACK: "pacs_vm=2026-01-31T02:00:00+00:00", GIVEN_UP: True})
    found = Deletion(
        "promote[pacs_vm].break", "svm_dr:pacs_vm_dr", "old", NOW, (("new", NOW), ("newer", NOW))
    )
    agreed = agreed_to(case, [found])
    again = load(tmp_path, dict(agreed.parameters))
    for one in (agreed, again):
        arguments = breaks(one)["pacs_vm"][1]
        assert (arguments["snapshot"], arguments["may_delete"]) == ("old", ["new", "newer"])
        assert arguments["give_up_mirrors"] is True
    assert read_agreed(agreed.parameters)["promote[pacs_vm].break"].deletes == ("new", "newer")
    assert isinstance(agreed.parameters[AGREED], str)


def test_who_does_not_go_back_in_place_is_told_so(tmp_path: Path) -> None:
    assert "deletes nothing" in refused(tmp_path, {ROLLED_BACK: "pacs=x"}, "drill")
    assert "takes no recovery point" in refused(tmp_path, {ROLLED_BACK: "pacs=x"}, "switchover")
    assert "cannot be both" in refused(tmp_path, {ROLLED_BACK: "pacs=x", CHOSEN: "pacs=y"})
    assert "--restore-in-place pasc" in refused(tmp_path, {ROLLED_BACK: "pasc=x"})


def test_a_planned_move_never_rolls_back_whatever_was_transferred_before(tmp_path: Path) -> None:
    text = MOVED.read_text()
    refuse_unsealed(load(tmp_path, {}, "switchover", MOVED))
    runbook = tmp_path / "rolled.yaml"
    rolled = text.replace(
        'ontap.snapmirror.break, on: "{{ item.target.endpoint }}", with: {',
        f'{ROLLS_BACK}, on: "{{{{ item.target.endpoint }}}}", with: {{snapshot: old, ',
    )
    assert rolled != text
    runbook.write_text(rolled)
    with pytest.raises(DrctlError) as refusal:
        refuse_unsealed(load(tmp_path, {}, "switchover", runbook))
    assert refusal.value.problems[0].code == "unsealed"
