"""The incident log: Markdown that reads well raw and rendered, folded from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from drctl.core.duration import format_duration
from drctl.core.events import Recorded
from drctl.core.run import GOOD, Run, State, StepRun
from drctl.report.entries import timeline_entries
from drctl.report.timeline import ServiceTimes, Timeline, loss_stage, result_word, seconds


def render_incident(records: Sequence[Recorded], head: str) -> str:
    """Return the incident log of a journal; ``head`` is the hash of its last line."""
    timeline = Timeline.of(records)
    if timeline.run.started is None:
        return "# Incident log\n\nThe journal has no beginning yet.\n"
    sections = (
        _header(timeline),
        _in_short(timeline),
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
        tail = f", {count(unproven, 'step')} unproven" if unproven else ""
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
        ("Runbook", f"`{started.runbook.name}`, owner: {started.runbook.owner or 'not stated'}"),
    ]
    rows += [(name, value) for name, value in _times(timeline) if value]
    plain = {k: v for k, v in started.parameters.items() if isinstance(v, str | int | float)}
    rows += [(key, str(value)) for key, value in plain.items() if value != ""]
    return f"# Incident log: {_cell(title)}\n\n" + _table(("What", "As the journal has it"), rows)


def _in_short(timeline: Timeline) -> str:
    """Return the three sentences a manager reads: how it ended, who is served again, what is lost."""
    steps = [step for step in timeline.steps if result_word(step) != "not needed"]
    good = sum(1 for step in steps if step.state in GOOD)
    took = format_duration(timeline.lasted()) if timeline.lasted() else "no time"
    waited = timeline.waited()
    waits = f", {format_duration(waited)} of it waiting for people" if waited >= 1 else ""
    finished = timeline.run.finished
    state = finished.outcome.replace("_", " ") if finished else run_state(timeline.run)
    tail = f", {len(finished.unproven)} unproven" if finished and finished.unproven else ""
    wished = f"{good} of {count(len(steps), 'step')} as wished{tail}"
    first = f"{_sentence(state)} after {took}{waits}: {wished}."
    lines = [first, *_served(timeline), _lost(timeline)]
    return "## In short\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def _served(timeline: Timeline) -> list[str]:
    services = [times for times in timeline.services() if times.service.checks]
    if not services or timeline.run.started is None:
        return []
    target = timeline.run.started.target.title
    answering = [times for times in services if times.restored is not None]
    missing = [times.service.title for times in services if times.restored is None]
    late = [times.service.title for times in answering if _verdict(times) != "met"]
    text = f"{len(answering)} of {len(services)} services answer at {target}"
    text += f"; not proven: {', '.join(missing)}" if missing else ""
    text += f"; objectives missed: {', '.join(late)}" if late else ""
    return [text + ("." if missing or late or not answering else ", all inside their objectives.")]


def _lost(timeline: Timeline) -> str:
    """Return the statement on lost data in one sentence."""
    losses = timeline.run.losses
    worst = _minutes(max((loss.seconds or 0.0 for loss in losses), default=None))
    match loss_stage(timeline.run):
        case "none":
            return _lost_nothing(timeline)
        case "spared":
            return f"No data was given up: the run ended before a mirror was broken ({worst} were at stake)."
        case "ahead":
            return (
                f"Up to {worst} of data written before the incident will be lost once the mirrors are broken."
            )
        case _:
            return f"Up to {worst} of data written before the incident are lost."


def _lost_nothing(timeline: Timeline) -> str:
    """Return why nothing was given up, by what kind of run it was."""
    mode = timeline.run.started.mode if timeline.run.started else ""
    if mode in {"switchover", "failback"}:
        return "No data was given up: a mirror is broken only once its last transfer is proven."
    if mode == "reprotect":
        return "No data was given up: nothing unreplicated was overwritten."
    return "No data was given up: no mirror had to be broken."


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
        return f"## Data loss\n\n{_lost(timeline)}\n"
    statement = (
        f"**{_lost(timeline)}** What was written after the last replicated snapshot of a volume is not at "
        "the standby; it may still be at the source.\n\n"
    )
    rows = [
        (
            loss.volume,
            loss.service or "",
            _minutes(loss.seconds),
            _both(timeline, loss.recovery_point),
            _both(timeline, loss.incident),
            "unknown" if loss.clock_skew is None else f"{loss.clock_skew:+.0f} s",
            f"`{loss.snapshot}`" if loss.snapshot else "",
        )
        for loss in losses
    ]
    head = ("Volume", "Service", "Lost", "Last replicated", "Incident", "Array clock vs ours", "Snapshot")
    return "## Data loss\n\n" + statement + _table(head, rows)


def _services(timeline: Timeline) -> str:
    services, started = timeline.services(), timeline.run.started
    if not services or started is None:
        return ""
    rows = [_service_row(timeline, times) for times in services]
    head = ("Service", "Answering since", "After", "RTO", "Data lost", "RPO", "Verdict")
    start = timeline.rto_start
    counted = f", {_both(timeline, start)}," if start else ""
    basis = (
        f"Time counts from the {started.objectives.clock_starts}{counted} to the moment all checks of a "
        "service had passed.\n\n"
    )
    return "## Services\n\n" + basis + _table(head, rows)


def _service_row(timeline: Timeline, times: ServiceTimes) -> tuple[str, ...]:
    answering = _both(timeline, times.restored) or ("not yet" if times.service.checks else "has no check")
    return (
        times.service.title,
        answering,
        _duration(times.rto_actual),
        _duration(times.rto_target),
        "" if times.rpo_actual is None else _minutes(times.rpo_actual),
        _duration(times.rpo_target),
        _verdict(times) if times.restored is None or _verdict(times) == "met" else f"**{_verdict(times)}**",
    )


def _verdict(times: ServiceTimes) -> str:
    """Return ``met``, ``RTO missed`` and the like, or ``not proven`` while the service does not answer."""
    if times.restored is None:
        return "not proven"
    pairs = {"RTO": (times.rto_actual, times.rto_target), "RPO": (times.rpo_actual, times.rpo_target)}
    missed = [
        name
        for name, (actual, target) in pairs.items()
        if actual is not None and target is not None and actual > target
    ]
    return f"{' and '.join(missed)} missed" if missed else "met"


def _decisions(timeline: Timeline) -> str:
    entries = timeline_entries(timeline.records)
    rows = [
        (_clock(timeline, entry.at), _code(entry.step), entry.text)
        for entry in entries
        if entry.kind == "decision" or entry.text.startswith("Decision")
    ]
    overrides = [
        (_clock(timeline, entry.at), _code(entry.step), entry.text)
        for entry in entries
        if entry.kind == "override"
    ]
    decided = _table(("Local time", "Step", "Who decided what"), rows) if rows else "None.\n"
    forced = _table(("Local time", "Step", "What and why"), overrides)
    tail = (
        f"\nOverrides that drctl used where the documented way was refused:\n\n{forced}" if overrides else ""
    )
    return f"## Decisions\n\n{decided}{tail}"


def _open_questions(timeline: Timeline) -> str:
    steps = timeline.open_questions()
    left = [step for step in timeline.steps if step.state in {State.PENDING, State.RUNNING, State.WAITING}]
    if not steps:
        none = f"None so far; {count(len(left), 'step')} still to end." if left else _NOTHING_OPEN
        return f"## Open questions\n\n{none}\n"
    rows = [(f"`{step.id}`", result_word(step), *_why(step)) for step in steps]
    return "## Open questions\n\nWhat nobody can vouch for:\n\n" + _table(
        ("Step", "State", "Why", "What to do"), rows
    )


_NOTHING_OPEN = "None: every step reached its wished state."


def _why(step: StepRun) -> tuple[str, str]:
    """Return why a step is open, and what to do about it."""
    if step.drift is not None:
        return f"planned {step.drift.planned}; seen {step.drift.seen}", ""
    if step.skip is not None and step.state is State.SKIPPED:
        return step.skip.reason + (f" ({step.skip.by})" if step.skip.by else ""), ""
    return (step.problem.summary, step.problem.hint) if step.problem else ("", "")


def _timeline(timeline: Timeline) -> str:
    rows = []
    day = ""
    for entry in timeline_entries(timeline.records):
        today = f"{entry.at:%Y-%m-%d}"
        utc = f"{entry.at:%H:%M:%S}" if today == day else f"{today} {entry.at:%H:%M:%S}"
        day = today
        rows.append((utc, _clock(timeline, entry.at), _code(entry.step), entry.text))
    return "## Timeline\n\n" + _table(("UTC", timeline.zone.key, "Step", "What happened"), rows)


def _steps(timeline: Timeline) -> str:
    rows = [_step_row(timeline, step) for step in timeline.steps]
    head = ("Phase", "Step", "Result", "Started", "Took", "What")
    words = {part for row in rows for part in row[2].split(", ")}
    legend = " ".join(f"*{word}*: {meaning}." for word, meaning in _MEANINGS.items() if word in words)
    return "## Steps\n\n" + (f"{legend}\n\n" if legend else "") + _table(head, rows)


_MEANINGS = {
    "unchanged": "was as wished before drctl came, nothing was sent",
    "adopted": "found done after an interruption",
    "unproven": "could not be confirmed, and the runbook goes on without it",
    "indeterminate": "neither done nor failed for sure",
    "skipped": "not done in this run, never a success",
    "not run": "the run ended before it",
}


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
        "not run" if step.state is State.PENDING and timeline.ended else result_word(step),
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
    rows.sort(key=lambda row: ("blocker", "warning", "ok").index(row[1]))
    bad = sum(1 for row in rows if row[1] != "ok")
    return f"## Prechecks\n\n{count(len(rows), 'finding')}, {bad} not ok.\n\n" + _table(
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


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())


def _both(timeline: Timeline, instant: datetime | None) -> str:
    if instant is None:
        return ""
    return f"{timeline.local(instant):%Y-%m-%d %H:%M:%S %Z} ({instant:%H:%M:%S} UTC)"


def _clock(timeline: Timeline, instant: datetime | None) -> str:
    return f"{timeline.local(instant):%H:%M:%S}" if instant else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _duration(value: float | None) -> str:
    return "" if value is None else format_duration(value)


def _minutes(value: float | None) -> str:
    return "an unknown time" if value is None else f"{value / 60:.0f} min"


def count(number: int, thing: str) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{number} {thing}" + ("" if number == 1 else "s")
