"""The incident log: Markdown that reads well raw and rendered, folded from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from drctl.core.duration import format_duration
from drctl.core.events import Recorded
from drctl.core.run import Run, State, StepRun
from drctl.report.entries import timeline_entries
from drctl.report.timeline import ServiceTimes, Timeline, result_word, seconds


def render_incident(records: Sequence[Recorded], head: str) -> str:
    """Return the incident log of a journal; ``head`` is the hash of its last line."""
    timeline = Timeline.of(records)
    if timeline.run.started is None:
        return "# Incident log\n\nThe journal has no beginning yet.\n"
    sections = (
        _header(timeline),
        _loss(timeline),
        _services(timeline),
        _decisions(timeline),
        _open_questions(timeline),
        _timeline(timeline),
        _steps(timeline),
        _prechecks(timeline),
        _integrity(timeline, head),
    )
    return "\n".join(section for section in sections if section)


def run_state(run: Run) -> str:
    """Return one line on where a run stands, in words for people."""
    if run.finished is not None:
        unproven = len(run.finished.unproven)
        tail = f", {unproven} steps unproven" if unproven else ""
        return run.finished.outcome.replace("_", " ") + tail
    if run.paused is not None:
        steps = f" at {', '.join(run.paused.steps)}" if run.paused.steps else ""
        return f"paused ({run.paused.why}{steps})"
    waiting = [step.id for step in run.steps.values() if step.state is State.WAITING]
    return f"running, waits for a person at {', '.join(waiting)}" if waiting else "running"


def _header(timeline: Timeline) -> str:
    run, started = timeline.run, timeline.run.started
    assert started is not None  # noqa: S101 - render_incident returned before
    title = started.runbook.title or started.runbook.name
    rows = [
        ("State", f"**{run_state(run)}**"),
        ("Run", f"`{started.run}`, mode {started.mode}"),
        ("From → to", f"{started.source.title} → {started.target.title}"),
        ("Started by", f"{started.user} on {started.host}"),
        ("Runbook", f"{started.runbook.name}, owner {started.runbook.owner or 'not stated'}"),
    ]
    rows += [(name, value) for name, value in _times(timeline) if value]
    rows += [(key, str(value)) for key, value in started.parameters.items() if value not in {None, ""}]
    return f"# Incident log: {_cell(title)}\n\n" + _table(("", ""), rows)


def _times(timeline: Timeline) -> list[tuple[str, str]]:
    run = timeline.run
    words = {"impact": "Impact", "detection": "Detected", "declaration": "Declared"}
    rows = []
    for name, word in words.items():
        clock = run.clocks.get(name)
        if clock is not None:
            assumed = " (assumed: nobody stated it)" if clock.source == "assumed" else ""
            rows.append((word, _both(timeline, clock.instant) + assumed))
    rows.append(("Run began", _both(timeline, timeline.began)))
    rows.append(("Run ended", _both(timeline, timeline.ended)))
    waited = timeline.waited()
    rows.append(("Waited for people", format_duration(waited) if waited else ""))
    return rows


def _loss(timeline: Timeline) -> str:
    losses = timeline.run.losses
    if not losses:
        return "## Data loss\n\nThe plan gave nothing up: no mirror had to be broken.\n"
    worst = max(losses, key=lambda loss: loss.seconds or 0.0)
    statement = (
        f"**Up to {_minutes(worst.seconds)} of data written before the incident are lost** "
        f"({_cell(worst.volume)}): from the last replicated snapshot to the incident.\n\n"
    )
    rows = [
        (
            loss.volume,
            _both(timeline, loss.recovery_point),
            _both(timeline, loss.incident),
            _minutes(loss.seconds),
            loss.snapshot,
            "unknown" if loss.clock_skew is None else f"{loss.clock_skew:+.0f} s",
        )
        for loss in losses
    ]
    head = ("Volume", "Last replicated", "Incident", "Lost", "Snapshot", "Array clock vs ours")
    return "## Data loss\n\n" + statement + _table(head, rows)


def _services(timeline: Timeline) -> str:
    services = timeline.services()
    if not services:
        return ""
    rows = [_service_row(timeline, times) for times in services]
    head = ("Service", "Answering since", "RTO", "Actual", "RPO", "Actual", "Verdict")
    return "## Services\n\n" + _table(head, rows)


def _service_row(timeline: Timeline, times: ServiceTimes) -> tuple[str, ...]:
    met = [
        actual <= target
        for actual, target in ((times.rto_actual, times.rto_target), (times.rpo_actual, times.rpo_target))
        if actual is not None and target is not None
    ]
    verdict = "not proven" if times.restored is None else "met" if all(met) else "**missed**"
    return (
        times.service.title,
        _both(timeline, times.restored) or "not yet",
        _duration(times.rto_target),
        _duration(times.rto_actual),
        _duration(times.rpo_target),
        _duration(times.rpo_actual),
        verdict,
    )


def _decisions(timeline: Timeline) -> str:
    rows = [
        (_clock(timeline, entry.at), entry.step, entry.text)
        for entry in timeline_entries(timeline.records)
        if entry.kind == "decision" or entry.text.startswith("Decision")
    ]
    return "## Decisions\n\n" + (
        _table(("Local time", "Step", "Who decided what"), rows) if rows else "None.\n"
    )


def _open_questions(timeline: Timeline) -> str:
    steps = timeline.open_questions()
    if not steps:
        return "## Open questions\n\nNone: every step reached its wished state.\n"
    rows = [
        (
            f"`{step.id}`",
            result_word(step),
            step.skip.reason if step.skip else step.problem.summary if step.problem else "",
            step.problem.hint if step.problem else "",
        )
        for step in steps
    ]
    return "## Open questions\n\nWhat nobody can vouch for:\n\n" + _table(
        ("Step", "State", "Why", "What to do"), rows
    )


def _timeline(timeline: Timeline) -> str:
    zone = timeline.zone.key
    rows = [
        (
            f"{entry.at:%H:%M:%S}",
            _clock(timeline, entry.at),
            f"`{entry.step}`" if entry.step else "",
            entry.text,
        )
        for entry in timeline_entries(timeline.records)
    ]
    began = f"{timeline.began:%Y-%m-%d} (UTC)" if timeline.began else ""
    return f"## Timeline\n\nFrom {began}.\n\n" + _table(("UTC", zone, "Step", "What happened"), rows)


def _steps(timeline: Timeline) -> str:
    rows = [_step_row(timeline, step) for step in timeline.steps]
    head = ("Phase", "Step", "Result", "Started", "Took", "What")
    return "## Steps\n\n" + _table(head, rows)


def _step_row(timeline: Timeline, step: StepRun) -> tuple[str, ...]:
    planned = step.planned
    change = step.change or (planned.change if planned else None)
    what = (
        change.summary if change and step.state is not State.UNCHANGED else planned.summary if planned else ""
    )
    if step.finding is not None:
        what = step.finding.summary
    if step.overrides:
        what += f" (override: {'; '.join(step.overrides)})"
    return (
        planned.phase if planned else "",
        f"`{step.id}`",
        result_word(step),
        _clock(timeline, step.started),
        _duration(seconds(step)),
        what,
    )


def _prechecks(timeline: Timeline) -> str:
    rows = [
        (f"`{step.id}`", step.finding.level, step.finding.summary)
        for step in timeline.prechecks
        if step.finding is not None
    ]
    if not rows:
        return ""
    bad = sum(1 for row in rows if row[1] != "ok")
    return f"## Prechecks\n\n{len(rows)} findings, {bad} not ok.\n\n" + _table(
        ("Check", "Finding", "Seen"), rows
    )


def _integrity(timeline: Timeline, head: str) -> str:
    started = timeline.run.started
    assert started is not None  # noqa: S101 - render_incident returned before
    last = timeline.records[-1].seq + 1
    return (
        "## Integrity\n\n"
        f"- Head hash: `{head}` after {last} journal lines. Keep it elsewhere: "
        "only a head kept elsewhere shows that lines are missing at the end.\n"
        f"- Plan `{timeline.run.plan_digest}`, runbook `{started.runbook.digest}`, "
        f"inventory `{started.inventory.digest}` (SHA-256).\n"
        f"- drctl {started.tool}; check with `drctl verify {started.run} --head {head[:16]}…`.\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def _both(timeline: Timeline, instant: datetime | None) -> str:
    if instant is None:
        return ""
    return f"{timeline.local(instant):%Y-%m-%d %H:%M:%S %Z} ({instant:%H:%M:%S} UTC)"


def _clock(timeline: Timeline, instant: datetime | None) -> str:
    return f"{timeline.local(instant):%H:%M:%S}" if instant else ""


def _duration(value: float | None) -> str:
    return "" if value is None else format_duration(value)


def _minutes(value: float | None) -> str:
    return "an unknown time" if value is None else f"{value / 60:.0f} min"
