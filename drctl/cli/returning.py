"""What ``reprotect`` and ``failback`` have in common: turning replication round after a move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from drctl.app.context import Context
from drctl.app.homecoming import consent_of
from drctl.app.precedence import refuse_conflict
from drctl.app.reprotect import Return, refuse_unacknowledged, reprotect
from drctl.app.start import Ended
from drctl.cli.running import Display, conclude, say_end
from drctl.cli.say import say
from drctl.cli.starting import Wish, approval_of, carry_out, confirming, planned
from drctl.core.problem import ExitCode


@dataclass(frozen=True)
class Turned:
    """What was typed."""

    run: str
    yes: bool
    reason: str
    display: Display
    acknowledge: bool = False
    full_baseline: bool = False
    dry_run: bool = False


def turn_round(context: Context, asked: Turned) -> Ended | None:
    """Name both sides, plan, refuse what nobody acknowledged, confirm, execute; None for a dry run."""
    found = reprotect(context, asked.run, acknowledge=asked.acknowledge, full_baseline=asked.full_baseline)
    say_sides(found)
    refuse_conflict(context, found.case)
    if asked.dry_run:
        with planned(context, found.case, as_json=asked.display.as_json) as (_, plan):
            refuse_unacknowledged(plan, found.case)
        return None
    confirm = None if asked.yes else confirming("Type {target} to overwrite the volumes of {title}")
    approval = replace(approval_of(context, asked.reason), impact_at=_incident(found))
    wish = Wish(confirm, asked.display, check=lambda plan: refuse_unacknowledged(plan, found.case))
    return carry_out(context, found.case, found.files, wish, approval)


def turn_home(context: Context, moved: Ended, asked: Turned) -> None:
    """Let a failback end as it must: replicate in the original direction again, and say so for each relation.

    Exits with the reprotect's code; with the move's where that has not come to its end.
    """
    as_json = asked.display.as_json
    if moved.exit_code not in {ExitCode.OK, ExitCode.EXCEPTIONS}:
        conclude(moved, as_json=as_json)
    say_end(moved, as_json=as_json)
    turned = turn_round(context, asked)
    if turned is not None:
        if not as_json:
            say_relations(turned)
        conclude(turned, as_json=as_json)


def turn_interrupted(context: Context, moved: Ended, asked: Turned) -> None:
    """The same for a failback that was resumed: what was agreed to at its start holds for its end."""
    given = consent_of(moved.directory)
    reason = asked.reason or given.reason
    turn_home(context, moved, replace(asked, yes=asked.yes or given.yes, reason=reason))


def say_sides(found: Return) -> None:
    """Say for each relation which side's data counts and which is overwritten."""
    for way in found.ways:
        words = f"{way.authoritative} ({way.here}) is authoritative; {way.overwritten} ({way.there}) is overwritten"
        say(words, err=True)


def say_relations(ended: Ended) -> None:
    """Say for each relation how it stands after the run, third copies among them."""
    for step in ended.directory.fold().steps.values():
        title = step.planned.title if step.planned else step.id
        action = step.planned.action if step.planned else None
        if action == "ontap.mirror.direction":
            say(f"  {step.finding.summary if step.finding else f'not proven: {title}'}", err=True)
        elif action == "ontap.mirror.stopped" and step.finding is None:
            say(f"  vault stopped: not proven yet: {title}", err=True)
        elif action == "ontap.mirror.stopped" and step.finding is not None:
            prefix = "" if step.finding.level == "ok" else "vault stopped: "
            say(f"  {prefix}{step.finding.summary}", err=True)


def _incident(found: Return) -> datetime | None:
    """Return since when the overwritten side's writes were no longer replicated: when the first run was called for."""
    clock = found.parent.fold().clocks.get("impact")
    return clock.instant if clock else None
