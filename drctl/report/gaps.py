"""What only people know and nobody has said yet, and the command that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drctl.report.facts import FOLLOWING, ActionFact, CheckFact, Gap, Kind, NoteFact, Times

BY_KIND: Mapping[Kind, Mapping[str, str]] = {
    "incident": {
        "impact": "impact", "causes": "cause", "communications": "communication", "lessons": "lesson",
    },
    "drill": {"lessons": "lesson"},
}  # fmt: skip
"""Fields that notes of a kind fill in."""

BY_LABEL: Mapping[Kind, Sequence[str]] = {
    "incident": (
        "severity", "authors", "sites", "patients", "well", "badly", "luck", "authorities", "personal-data",
        "cross-border", "indicators",
    ),
    "drill": (
        "exercise-type", "scope", "out-of-scope", "scenario", "participants", "authorisations", "objectives",
        "criteria", "security", "conclusion", "distribution", "next-drill", "sign-off",
    ),
}  # fmt: skip
"""Fields that labelled notes fill in."""

WORDS: Mapping[str, str] = {
    "patients": "exams", "exercise-type": "type", "out-of-scope": "out of scope", "next-drill": "next drill",
    "personal-data": "personal data",
}  # fmt: skip
"""Labels as people type them, where the field's name differs."""

CLOCKS: Mapping[str, str] = {"detection": "detection", "normal": "back-to-normal"}


def find_gaps(
    kind: Kind,
    mode: str,
    run: str,
    notes: Sequence[NoteFact],
    times: Times,
    actions: Sequence[ActionFact],
    proofs: Sequence[CheckFact],
) -> tuple[Gap, ...]:
    """Return the open fields of a report, in the order it asks for them."""
    if mode in FOLLOWING:  # what people know of it stands in the report of the run it follows from
        return _unowned(run, actions)
    gaps: list[Gap] = []
    labels = {note.label for note in notes}
    kinds = {note.kind for note in notes if not note.label}
    gaps += [
        Gap(name, _note(run, f"{WORDS.get(name, name)}: …")) for name in BY_LABEL[kind] if name not in labels
    ]
    if kind == "incident":
        gaps += [
            Gap(name, _note(run, "…", note, " --at TIME"))
            for name, note in CLOCKS.items()
            if getattr(times, name) is None
        ]
    gaps += [Gap(name, _note(run, "…", note)) for name, note in BY_KIND[kind].items() if note not in kinds]
    if kind == "drill":
        gaps += [
            Gap(name, _note(run, f"{name}: …"))
            for name in ("isolation", "cleanup")
            if not _proven(name, proofs) and name not in labels
        ]
    if not any(not action.carried for action in actions):
        gaps.append(Gap("actions", _note(run, "…", "action", " --owner WHO --due DATE")))
    return (*gaps, *_unowned(run, actions))


def _unowned(run: str, actions: Sequence[ActionFact]) -> tuple[Gap, ...]:
    return tuple(
        Gap(
            "action-owner",
            _note(run, f"{action.text[:40]}…", "action", f" --owner WHO --due DATE --closes {action.id}"),
        )
        for action in actions
        if not action.done and (not action.owner or action.due is None)
    )


def _proven(name: str, proofs: Sequence[CheckFact]) -> bool:
    return any(
        proof.level == "ok" and (proof.step.startswith(name) or _is(name, proof.step)) for proof in proofs
    )


def _is(name: str, step: str) -> bool:
    return name == "cleanup" and "empty" in step


def _note(run: str, text: str, kind: str = "", tail: str = "") -> str:
    option = f" --kind {kind}" if kind else ""
    return f'drctl note {run} "{text}"{option}{tail}'
