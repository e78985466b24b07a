"""Plays tables of faults: each strikes while a command is given, is lifted, and the run goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from fault_estate import COMMANDS, GO, WITH_ANSWERS, Site
from installed import Ran

from drctl.core.problem import ExitCode
from drctl.core.run import Run, State
from drctl.lab import power
from drctl.lab.faults import FAULTS, parse
from drctl.lab.sites import RETURN_TIME

REFUSED = ExitCode.BLOCKED

REPEATED = frozenset({"reprotect"})
"""Verbs that are given again after they completed with exceptions: what is done stays done."""

MOST = 3
"""Commands that a verb may take to its end when nothing strikes any more."""


@dataclass(frozen=True)
class Act:
    """A fault that is in force while one command is given, and how that command must end.

    Acts that end in OK are borne: all of a round are in force together, from its first command to its last.

    Attributes:
        fault: as the lab's command line takes it.
        ends: the command's exit status.
        at: the steps left failed or in doubt; none where nothing was begun.
        says: what the operator must be told, word by word, whatever the line breaks.
        again: beginnings of the changing calls that rightly go out once more, since the first did nothing.
        mend: what a person does besides lifting the fault.
        meanwhile: what a person does while the command waits.
        lift: what ends the fault when that is another fault.
    """

    fault: str
    ends: ExitCode = ExitCode.OK
    at: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    mend: Callable[[Any], None] | None = None
    meanwhile: Callable[[Any], None] | None = None
    lift: str = ""

    @property
    def once(self) -> bool:
        """Whether it is over when it has struck."""
        return self.fault.endswith(":once")


@dataclass(frozen=True)
class Table:
    """What a verb must stand: rounds of acts, each a run of its own; and what can never strike it, and why."""

    verb: str
    rounds: tuple[tuple[Act, ...], ...]
    senseless: Mapping[str, str]

    def acts(self, lap: int) -> tuple[Act, ...]:
        """Return a round's acts; past the last one nothing strikes."""
        return self.rounds[lap] if lap < len(self.rounds) else ()

    def misplaced(self) -> dict[str, str]:
        """Return the lab's faults that this table forgets, and those it has twice or does not know."""
        acts = [act for acts in self.rounds for act in acts]
        injected = {parse(act.fault).name for act in acts} | {parse(a.lift).name for a in acts if a.lift}
        listed = set(self.senseless)
        return {
            **dict.fromkeys(FAULTS - injected - listed, "forgotten"),
            **dict.fromkeys(injected & listed, "injected and yet listed as senseless"),
            **dict.fromkeys(listed - FAULTS, "no fault of the lab"),
        }


@dataclass(frozen=True)
class Undisturbed:
    """What a verb makes of the world when nothing strikes it, and by which changing calls."""

    world: Any
    effects: Counter[str]


def undisturbed(site: Site, verb: str) -> Undisturbed:
    """Carry a verb out."""
    before = site.calls()
    for ran in _to_the_end(site, verb, len(site.runs())):
        assert ran.status == ExitCode.OK, str(ran)
    return Undisturbed(site.world(), site.effects(before))


def play(site: Site, verb: str, acts: Sequence[Act], model: Undisturbed) -> list[str]:
    """Let each act strike, in the order of the table, and go on to the end; return what was wrong.

    In the end the world is as if nothing had struck, and no call went out twice but where the first did nothing.
    """
    before, known = site.calls(), len(site.runs())
    borne = [act for act in acts if act.ends is ExitCode.OK]
    with _in_force(site, borne):
        wrong = [line for act in acts if act not in borne for line in _stopped(site, verb, known, act)]
        wrong += [f"not borne: {ran}" for ran in _to_the_end(site, verb, known) if ran.status != ExitCode.OK]
        unspent = {act.fault for act in borne if act.once} & set(site.lab.world.faults.listing())
        wrong += [f"{fault} never struck" for fault in sorted(unspent)]
    wrong += difference(model.world, site.world())
    allowed = tuple(call for act in acts for call in act.again)
    repeated = site.effects(before) - model.effects
    wrong += [f"{call} {n} times too often" for call, n in repeated.items() if not call.startswith(allowed)]
    return [f"{verb}: {line}" for line in wrong]


def _stopped(site: Site, verb: str, known: int, act: Act) -> Iterator[str]:
    """Give the next command while a fault is in force; yield how it ended otherwise than the table says."""
    calls, before = site.calls(), len(site.runs())
    with _in_force(site, [act]):
        command = _next(site, verb, known)
        if command is None:
            yield f"{act.fault}: {verb} is over already"
            return
        ran = site.drctl(*command)
    runs = site.runs()
    told = " ".join(ran.err.split())
    at = _troubled(runs[-1]) if len(runs) > known else set()
    wanted = {*act.says, _offered(runs[-1] if len(runs) > known else None, verb)}
    if ran.status != act.ends or "Traceback" in ran.err:
        yield f"{act.fault}: {ran}"
    if at != set(act.at):
        yield f"{act.fault}: stopped at {sorted(at)}: {told}"
    if missing := sorted(words for words in wanted if words not in told):
        yield f"{act.fault}: does not say {missing}: {told}"
    if act.ends is REFUSED and (site.calls(), len(runs)) != (calls, before):
        yield f"{act.fault}: refused, and yet something was done"


def _offered(run: Run | None, verb: str) -> str:
    """Return the command that has to be offered after a run that is not over."""
    if run is None or run.started is None:
        return ""
    if run.finished is None:
        return f"drctl resume {run.started.run}"
    return f"drctl {verb}" if verb in REPEATED else ""


def _to_the_end(site: Site, verb: str, known: int) -> Iterator[Ran]:
    """Give the commands that the documentation names until the verb is over."""
    given = 0
    while (command := _next(site, verb, known)) is not None and (given := given + 1) <= MOST:
        yield site.drctl(*command)


def _next(site: Site, verb: str, known: int) -> tuple[str, ...] | None:
    """Return what is to be typed now; ``known`` is how many runs there were before the verb began."""
    runs = site.runs()[known:]
    if not runs:
        return COMMANDS[verb]
    run = runs[-1]
    assert run.started is not None
    if run.finished is None:
        answers = GO if verb in {"cleanup", "reprotect", "rollback"} else WITH_ANSWERS
        return ("resume", run.started.run, *answers)
    if run.finished.outcome == "completed_with_exceptions" and run.started.mode in REPEATED:
        return COMMANDS[run.started.mode]
    return COMMANDS["reprotect"] if verb == run.started.mode == "failback" else None


def _troubled(run: Run) -> set[str]:
    """Return the steps of a run that failed or are in doubt."""
    return {
        i for i, step in run.steps.items() if step.state in {State.FAILED, State.INDETERMINATE} or step.drift
    }


@contextmanager
def _in_force(site: Site, acts: Sequence[Act]) -> Iterator[None]:
    """Let faults strike while the block lasts; afterwards they are lifted and mended."""
    for act in acts:
        site.lab.fault(act.fault)
    busy = [Thread(target=act.meanwhile, args=(site.lab,)) for act in acts if act.meanwhile]
    for person in busy:
        person.start()
    yield
    for person in busy:
        person.join()
    for act in acts:
        if act.lift:
            site.lab.fault(act.lift)
            site.lab.lift(act.lift)
            site.lab.world.advance(2 * RETURN_TIME)
        site.lab.lift(act.fault)
        if act.mend:
            act.mend(site.lab)


def answer_when_asked(lab: Any) -> None:
    """Sit at the vCenter until a machine asks, and answer."""
    centers = lab.world.estate.vcenters.values()
    lab.world.wait(lambda: any(vm.question for center in centers for vm in center.vms.values()))
    answer_the_question(lab)


def answer_the_question(lab: Any) -> None:
    """Answer what a machine asks, as somebody at the vCenter does."""
    with lab.world.lock:
        for vcenter in lab.world.estate.vcenters.values():
            for vm in vcenter.vms.values():
                if vm.question is not None:
                    power.answer(lab.world, vcenter, vm, "0")


def difference(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Return where two worlds differ, one line for each place."""
    if not (isinstance(wanted, dict) and isinstance(found, dict)):
        return [] if wanted == found else [f"{path}: {found!r}, not {wanted!r}"]
    places = sorted(wanted.keys() | found.keys())
    return [line for key in places for line in difference(wanted.get(key), found.get(key), f"{path}/{key}")]
