"""Gates and manual steps: how people are asked, and what their answers mean for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from drctl.core import events as ev
from drctl.core.problem import Problem
from drctl.core.run import StepRun
from drctl.engine import verdict as vd
from drctl.engine.policy import open_gate, overdue
from drctl.engine.step import Gate, Manual, Step


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: go or no-go for a gate, done or failed for a manual step.

    ``by`` names who decided, when it is not the person who runs drctl.
    """

    answer: Literal["go", "no-go", "done", "failed"]
    reason: str = ""
    evidence: str = ""
    by: str = ""


@dataclass(frozen=True)
class People:
    """Who can be asked. ``attended``: somebody may still answer, so a run waits instead of exiting 4."""

    attended: bool
    user: str
    answers: Mapping[str, Answer] = field(default_factory=dict)

    def open(self, step: Step, now: datetime) -> list[ev.EventData]:
        """Ask; with an answer given beforehand, journal it at once."""
        events: list[ev.EventData] = []
        if isinstance(step.body, Gate):
            events.append(open_gate(step, step.body, now))
        elif isinstance(step.body, Manual):
            body = step.body
            events.append(
                ev.ManualOpened(
                    step=step.id,
                    do=body.do,
                    role=body.role or "",
                    evidence=body.evidence or "",
                    confirms=body.confirms,
                )
            )
        prepared = self.answers.get(step.id)
        if prepared is not None:
            events.append(answer_event(step.id, step.body, prepared, self.user, "file"))
        return events

    def conclude(self, step: Step, record: StepRun, now: datetime) -> list[ev.EventData]:
        """Return what follows from an answer, a prepared one, or a gate's time-out; nothing while waiting."""
        decision = record.decision
        if decision is None and (timed_out := self._time_out(record, now)):
            return timed_out
        if decision is None:
            prepared = self.answers.get(step.id)
            return [answer_event(step.id, step.body, prepared, self.user, "file")] if prepared else []
        if isinstance(decision, ev.GateAnswered) and decision.answer == "go":
            return [ev.StepFinished(step=step.id, how="answered", summary=_said("go", decision))]
        if isinstance(decision, ev.ManualRecorded) and decision.result == "done":
            outputs = {"evidence": decision.evidence}
            summary = _said("done", decision)
            return [ev.StepFinished(step=step.id, how="answered", summary=summary, outputs=outputs)]
        said = "no-go" if isinstance(decision, ev.GateAnswered) else "failed"
        problem = Problem(
            code="denied" if said == "no-go" else "manual-failed", summary=_said(said, decision)
        )
        tolerated = said == "failed" and step.on_error == "continue"
        return [ev.StepFailed(step=step.id, problem=vd.problem_data(problem), tolerated=tolerated)]

    @staticmethod
    def decides_itself(record: StepRun) -> bool:
        """Say whether an open question ends by itself, at its gate's deadline."""
        gate = record.gate
        return gate is not None and gate.deadline is not None and gate.on_timeout != "ask"

    def _time_out(self, record: StepRun, now: datetime) -> list[ev.EventData]:
        gate = record.gate
        if gate is None or gate.on_timeout == "ask" or not overdue(gate, now):
            return []
        return [
            ev.GateAnswered(
                step=record.id,
                answer="no-go" if gate.on_timeout == "deny" else "go",
                by="nobody",
                reason=f"no answer before {gate.deadline:%H:%M:%S} UTC; the runbook says {gate.on_timeout}",
                via="timeout",
            )
        ]


def answer_event(
    identity: str,
    body: object,
    answer: Answer,
    by: str,
    via: Literal["terminal", "answer", "file"],
) -> ev.GateAnswered | ev.ManualRecorded:
    """Return the event of an answer to a gate (go, no-go) or manual step (done, failed).

    Raises:
        ValueError: the answer does not fit the question.
    """
    is_gate = isinstance(body, Gate | ev.GateOpened)
    by = answer.by or by
    match is_gate, answer.answer:
        case True, "go" | "no-go" as decided:
            return ev.GateAnswered(step=identity, answer=decided, by=by, reason=answer.reason, via=via)
        case False, "done" | "failed" as result:
            return ev.ManualRecorded(
                step=identity, result=result, by=by, evidence=answer.evidence, reason=answer.reason, via=via
            )
        case _:
            expected = "go or no-go" if is_gate else "done or failed"
            raise ValueError(f"{identity} is answered with {expected}, not {answer.answer}")


def _said(word: str, decision: ev.GateAnswered | ev.ManualRecorded) -> str:
    evidence = decision.evidence if isinstance(decision, ev.ManualRecorded) else ""
    return ": ".join(filter(None, (f"{word} by {decision.by}", evidence, decision.reason)))
