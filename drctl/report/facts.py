"""What a report says, before anybody's language: plain frozen data folded from a journal; JSON as it stands.

Instants are UTC, lengths are seconds, and every word is a code that documents translate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["incident", "drill"]
Verdict: TypeAlias = Literal["met", "missed", "unproven", "no-objective"]
Result: TypeAlias = Literal[
    "done", "adopted", "unchanged", "observed", "go", "no-go", "recorded", "not-needed", "skipped", "failed",
    "unreachable", "timed-out", "indeterminate", "not-exercised", "waiting", "unanswered", "running", "not-reached",
]  # fmt: skip
Coverage: TypeAlias = Literal["real", "bubble", "none"]
PartName: TypeAlias = Literal["detection", "decision", "execution", "people", "validation", "stopped"]

BAD = frozenset({"failed", "unreachable", "timed-out", "indeterminate", "no-go"})
"""Results that nobody may read as a success."""

DOUBTFUL = BAD - {"no-go"} | {"skipped", "running"}
"""Results that nobody can vouch for; what was never begun is no doubt, nor is a no-go."""

FOLLOWING = frozenset({"cleanup", "rollback", "reprotect"})
"""Modes of runs that follow from another: they serve nobody, and no incident of their own is told of them."""

READ_OUT = "read-out"
"""Why a manual step of a drill was not exercised: it is read out and not carried out."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """An instant and what proves it; ``line`` is the journal's, counted from 1."""

    at: datetime
    line: int
    by: str = ""
    source: Literal["journal", "given", "asked", "assumed", "note"] = "journal"


@dataclass(frozen=True, slots=True)
class Times:
    """The instants an incident is told by; None where nobody stated or reached one."""

    impact: Stamp | None = None
    detection: Stamp | None = None
    declaration: Stamp | None = None
    decision: Stamp | None = None
    first_action: Stamp | None = None
    no_return: Stamp | None = None
    restored: Stamp | None = None
    validated: Stamp | None = None
    normal: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a service's recovery time; the parts of a service add up to its total."""

    name: PartName
    seconds: float


@dataclass(frozen=True, slots=True)
class Objective:
    """A target and what it came to; ``margin`` is negative when it was missed."""

    target: float | None
    actual: float | None
    margin: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ServiceFact:
    """One service: its clock, its objectives, where its time went."""

    name: str
    title: str
    tier: int | None
    clock_starts: Literal["impact", "detection", "declaration"]
    clock_start: datetime | None
    restored: datetime | None
    elapsed: float | None
    """Seconds since the clock started: to the restoration, else to the end of the run."""
    rto: Objective
    rpo: Objective
    mtpd: Objective
    recovery_point: datetime | None
    parts: tuple[Part, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LossFact:
    """What one volume lost: from the recovery point really used to the incident."""

    volume: str
    service: str
    step: str
    snapshot: str
    recovery_point: datetime
    incident: datetime | None
    seconds: float | None
    clock_skew: float | None
    used: bool
    """Whether the step that gives this data up was really run."""


@dataclass(frozen=True, slots=True)
class StepFact:
    """One step as it went; ``lines`` are its first and last in the journal."""

    id: str
    title: str
    phase: str
    service: str
    kind: Literal["action", "probe", "gate", "manual"]
    action: str
    endpoint: str
    site: str
    planned: str
    result: Result
    tolerated: bool
    started: datetime | None
    ended: datetime | None
    seconds: float | None
    expected: float | None
    """Seconds the step took in the previous run of the same kind."""
    by: str
    summary: str
    reason: str
    hint: str
    evidence: str
    overrides: tuple[str, ...]
    attempts: int
    coverage: Coverage
    coverage_reason: str
    critical: bool
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CheckFact:
    """A finding of a precheck or of a proof."""

    step: str
    level: Literal["ok", "warning", "blocker", "none"]
    summary: str
    run: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DecisionFact:
    """Something somebody decided; ``how`` says through what it was said."""

    at: datetime
    line: int
    what: Literal[
        "approved", "go", "no-go", "done", "failed", "skip", "retry", "abort", "resume", "override", "note",
    ]  # fmt: skip
    by: str
    step: str
    text: str
    how: Literal["typed", "yes", "plan-file", "terminal", "answer", "file", "timeout", "journal"]


@dataclass(frozen=True, slots=True)
class DeviationFact:
    """Where the run left the plan."""

    at: datetime | None
    what: Literal[
        "failed", "unreachable", "timed-out", "indeterminate", "skipped", "drift", "override", "retried", "adopted",
        "edited", "taken-over", "paused", "crashed", "aborted", "no-go",
    ]  # fmt: skip
    step: str
    text: str
    by: str = ""
    tolerated: bool = False
    why: str = ""
    """What a pause was for, as a code."""


@dataclass(frozen=True, slots=True)
class NoteFact:
    """What a person wrote; ``label`` is the report's field it answers, if any."""

    at: datetime
    line: int
    kind: str
    by: str
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ActionFact:
    """Something to be done; ``id`` is RUN/LINE, by which another note closes it."""

    id: str
    text: str
    owner: str
    due: date | None
    done: bool
    carried: bool = False


@dataclass(frozen=True, slots=True)
class RelatedRun:
    """Another run this one is tied to: the drill before, the cleanup or reprotect after."""

    run: str
    mode: str
    began: datetime
    outcome: str
    runbook_digest: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A field that only people can fill in, and the command that does."""

    field: str
    command: str


@dataclass(frozen=True, slots=True)
class PhaseFact:
    """A phase: when it began and ended, and its steps by result."""

    name: str
    started: datetime | None
    ended: datetime | None
    steps: int
    results: dict[Result, int]


@dataclass(frozen=True, slots=True)
class Origin:
    """What was run, where, with which files."""

    run: str
    mode: str
    runbook: str
    title: str
    owner: str
    runbook_digest: str
    inventory: str
    inventory_digest: str
    plan_digest: str
    source: str
    target: str
    timezone: str
    parent: str
    tool: str
    host: str
    user: str
    clock_offset: float | None
    parameters: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chain:
    """The journal's end: its head hash and how many lines it has."""

    head: str
    lines: int


@dataclass(frozen=True)
class Report:
    """Everything a report says of one run."""

    kind: Kind
    origin: Origin
    state: Literal["completed", "completed_with_exceptions", "aborted", "paused", "running"]
    paused_why: str
    began: datetime
    ended: datetime | None
    last: datetime
    waited: float
    times: Times
    services: tuple[ServiceFact, ...]
    losses: tuple[LossFact, ...]
    phases: tuple[PhaseFact, ...]
    steps: tuple[StepFact, ...]
    prechecks: tuple[CheckFact, ...]
    proofs: tuple[CheckFact, ...]
    decisions: tuple[DecisionFact, ...]
    deviations: tuple[DeviationFact, ...]
    notes: tuple[NoteFact, ...]
    actions: tuple[ActionFact, ...]
    previous: RelatedRun | None
    related: tuple[RelatedRun, ...]
    gaps: tuple[Gap, ...]
    chain: Chain
    schema: Literal[1] = 1

    def labelled(self, label: str) -> tuple[NoteFact, ...]:
        """Return the notes that answer one field."""
        return tuple(note for note in self.notes if note.label == label)

    def said(self, kind: str) -> tuple[NoteFact, ...]:
        """Return the notes of a kind that answer no field of their own."""
        return tuple(note for note in self.notes if note.kind == kind and not note.label)

    def lacks(self, field_name: str) -> bool:
        """Say whether people have left a field open."""
        return any(gap.field == field_name for gap in self.gaps)
