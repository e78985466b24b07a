"""The sections that only a drill report has."""

from __future__ import annotations

from drctl.report.document import (
    Badge,
    Block,
    Column,
    Name,
    Open,
    Paragraph,
    Quote,
    Section,
    Sheet,
    Table,
    Tone,
    Value,
    moment,
    quote,
    say,
    several,
)
from drctl.report.facts import CheckFact, Report
from drctl.report.sections_incident import noted, people, running, state

LEVEL_TONES: dict[str, Tone] = {"ok": "good", "warning": "warn", "blocker": "bad", "none": "warn"}


def drill_identity(report: Report) -> Section:
    """Return what was rehearsed, why, by whom, and who allowed it."""
    fields = ("exercise-type", "scope", "out-of-scope", "scenario", "participants", "authorisations")
    rows: list[tuple[str, Value]] = [
        ("sheet.report-of", Name(report.origin.run)),
        ("sheet.status", state(report)),
        *((f"sheet.{name}", people(report, name)) for name in fields),
        *running(report),
        *((f"={key}", Quote(value)) for key, value in report.origin.parameters.items()),
    ]
    return Section("section.drill-identity", (Sheet("sheet.identity", tuple(rows)),))


def success(report: Report) -> Section:
    """Return what was to be shown, as set before, and by what it was to be judged."""
    rows = tuple((f"sheet.{name}", people(report, name)) for name in ("objectives", "criteria"))
    return Section(
        "section.success", (Sheet("sheet.success", rows), Paragraph(say("success.before"), "quiet"))
    )


def rehearsal(report: Report) -> Section:
    """Return which runbook was rehearsed, the drill before, and what changed in between."""
    origin, before = report.origin, report.previous
    changed: Value = None
    if before is not None:
        same = before.runbook_digest == origin.runbook_digest
        changed = (
            say("runbook.same") if same else say("runbook.changed", digest=Name(before.runbook_digest[:16]))
        )
    noted_changes = people(report, "changes") if report.labelled("changes") else None
    rows: tuple[tuple[str, Value], ...] = (
        ("sheet.runbook", say("runbook-of", name=Name(origin.runbook), owner=Quote(origin.owner or "–"))),
        ("sheet.runbook-digest", Name(origin.runbook_digest)),
        (
            "sheet.previous",
            say(
                "previous",
                run=Name(before.run),
                at=moment(before.began),
                outcome=say(f"state.{before.outcome}"),
            )
            if before
            else say("no-previous"),
        ),
        (
            "sheet.changes",
            several(changed, noted_changes) if changed or noted_changes else say("no-comparison"),
        ),
    )
    return Section("section.runbook", (Sheet("sheet.rehearsal", rows), _coverage(report)))


def _coverage(report: Report) -> Table:
    columns = (
        Column("column.phase"), Column("column.real", "number"), Column("column.bubble", "number"),
        Column("column.idle", "number"),
    )  # fmt: skip
    rows = [
        (
            Quote(phase.name),
            *(
                Quote(str(sum(step.coverage == where for step in report.steps if step.phase == phase.name)))
                for where in ("real", "bubble", "none")
            ),
        )
        for phase in report.phases
    ]
    return Table("table.coverage", columns, rows)


def proofs(report: Report) -> Section:
    """Return what shows that production was not touched, and that nothing was left behind."""
    blocks: list[Block] = [
        Sheet(
            "sheet.proofs",
            (
                ("sheet.isolation", several(_confined(report), _proof(report, "isolation"))),
                ("sheet.cleanup", _proof(report, "cleanup")),
                ("sheet.cleanup-run", _cleanup(report)),
                ("sheet.security", people(report, "security")),
            ),
        )
    ]
    columns = (
        Column("column.check", "name"),
        Column("column.when", "time"),
        Column("column.finding"),
        Column("column.seen"),
        Column("column.run", "name"),
    )
    rows = [_proof_row(proof) for proof in report.proofs]
    if rows:
        blocks.append(Table("table.proofs", columns, rows))
    return Section("section.proofs", tuple(blocks))


def _confined(report: Report) -> Value:
    """Return what the journal shows of the isolation; whether the network has a way out, it does not."""
    changed = sum(step.kind == "action" and step.result in {"done", "adopted"} for step in report.steps)
    idle = sum(step.result == "not-exercised" for step in report.steps)
    return say("proof.confined", changed=Quote(str(changed)), idle=Quote(str(idle)))


def _proof(report: Report, name: str) -> Value:
    if report.labelled(name):
        return people(report, name)
    if report.lacks(name):
        return Open(name)
    return say("proof.below")


def _cleanup(report: Report) -> Value:
    runs = [run for run in report.related if run.mode == "cleanup"]
    if not runs:
        return Badge("bad", say("cleanup.none"))
    last = runs[-1]
    return say("previous", run=Name(last.run), at=moment(last.began), outcome=say(f"state.{last.outcome}"))


def _proof_row(proof: CheckFact) -> tuple[Value, ...]:
    badge = Badge(LEVEL_TONES[proof.level], say(f"level.{proof.level}"))
    return Name(proof.step), moment(proof.at), badge, quote(proof.summary), Name(proof.run)


def drill_lessons(report: Report) -> Section:
    """Return deficiencies and lessons."""
    findings: Block = (
        noted(report.said("finding"), "findings")
        if report.said("finding")
        else Paragraph(say("none-noted"), "quiet")
    )
    return Section(
        "section.lessons",
        (
            Paragraph(say("deficiencies"), "lead"),
            findings,
            Paragraph(say("lessons"), "lead"),
            noted(report.said("lesson"), "lessons"),
        ),
    )


def next_drill(report: Report) -> Section:
    """Return when the next drill is due, and who signs this one."""
    columns = (
        Column("column.role"),
        Column("column.name"),
        Column("column.date"),
        Column("column.signature"),
    )
    roles = ("sign.director", "sign.owner", "sign.business", "sign.security")
    rows = [(say(role), say("blank"), say("blank"), say("blank")) for role in roles]
    return Section(
        "section.next",
        (
            Sheet(
                "sheet.next",
                tuple(
                    (f"sheet.{name}", people(report, name))
                    for name in ("conclusion", "next-drill", "distribution", "sign-off")
                ),
            ),
            Table("table.sign-off", columns, rows),
        ),
    )
