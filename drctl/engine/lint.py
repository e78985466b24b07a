"""What is not wrong in a file, but would go wrong on the day.

Errors: what the lost-site rule forbids. Warnings: what practice teaches. Everything
here is static; nothing is contacted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from drctl.core.problem import Problem
from drctl.document.place import Keys
from drctl.document.shape import suggest
from drctl.engine.step import Expansion, Gate, Manual, Step, Use
from drctl.engine.survival import check_survival
from drctl.inventory.load import Inventory
from drctl.runbook.load import Answers, Runbook

_PRIORITIES = range(1, 6)


def lint(
    runbook: Runbook, inventory: Inventory, expansion: Expansion, assume_down: str | None = None
) -> list[Problem]:
    """Return errors and warnings (``severity``), in the order of the files.

    ``assume_down`` names a site that is taken for dead; in ``failover`` that is the source unless
    another is named.
    """
    down = assume_down or (expansion.source if expansion.mode == "failover" else None)
    found = [
        *_lost_site(expansion, down),
        *([] if down is None else check_survival(inventory, expansion, down)),
        *_metadata(runbook),
        *_decisions(runbook, inventory, expansion),
        *_recovery_points(runbook, inventory),
        *_addresses(inventory, expansion),
        *_machines(inventory),
    ]
    kept: dict[tuple[object, str], Problem] = {}
    for problem in found:
        kept.setdefault((problem.where, problem.summary), problem)
    return sorted(kept.values(), key=_place)


def check_answers(answers: Answers, expansion: Expansion) -> list[Problem]:
    """Return the problems of answers given beforehand: steps that do not ask, words that do not fit."""
    problems: list[Problem] = []
    asking = {step.id: step.body for step in expansion.steps if not isinstance(step.body, Use)}
    for name, given in answers.answers.items():
        body = asking.get(name)
        fitting = ("go", "no-go") if isinstance(body, Gate) else ("done", "failed")
        if body is None:
            hint = suggest(name, asking)
            summary = f"no gate or manual step is called {name!r}"
            problems.append(answers.document.key_problem("unknown-step", summary, ("answers", name), hint))
        elif given.answer not in fitting:
            summary = f"{name!r} is answered with {' or '.join(fitting)}"
            keys: Keys = ("answers", name, "answer")
            problems.append(answers.document.problem("answer", summary, keys))
    return problems


def _place(problem: Problem) -> tuple[str, int, int]:
    where = problem.where
    return (where.file, where.line, where.column) if where else ("", 0, 0)


def _warn(problem: Problem) -> Problem:
    return replace(problem, severity="warning")


def _lost_site(expansion: Expansion, down: str | None) -> Iterator[Problem]:
    """Refuse steps that must reach a dead site; prechecks there would only find it dead."""
    for step in expansion.steps:
        if down in step.reaches and step.on_error != "continue":
            yield Problem(
                code="lost-site",
                summary=f"{_name(step)} must reach {down}, which is presumed dead",
                detail=_through(step),
                hint="Say on_error: continue if its failure may be tolerated, or limit it with modes.",
                where=step.where,
                step=step.id,
            )
    for step in expansion.prechecks:
        if down in step.reaches:
            yield Problem(
                code="lost-site",
                summary=f"precheck {_name(step)} asks {down}, which is presumed dead",
                detail=_through(step),
                hint="Limit it with modes: [switchover].",
                where=step.where,
                step=step.id,
                severity="warning",
            )


def _name(step: Step) -> str:
    return repr(step.id.split("[", 1)[0])


def _through(step: Step) -> str:
    if isinstance(step.body, Use) and step.body.endpoint:
        return f"{step.id} uses the endpoint {step.body.endpoint}."
    return f"{step.id} asks an address of that site."


def _metadata(runbook: Runbook) -> Iterator[Problem]:
    body, document = runbook.body, runbook.document
    if not body.owner:
        yield _warn(document.problem("metadata", "the runbook names no owner", (), "Add owner: to it."))
    if not body.title:
        yield _warn(document.problem("metadata", "the runbook has no title", (), "Add title: to it."))
    missing = [name for name in ("rto", "rpo") if getattr(body.objectives, name) is None]
    if missing:
        summary = f"the runbook states no {' and no '.join(missing)}"
        hint = "Add objectives: {rto: …, rpo: …}; the report measures against them."
        yield _warn(document.problem("metadata", summary, ("objectives",), hint))


def _decisions(runbook: Runbook, inventory: Inventory, expansion: Expansion) -> Iterator[Problem]:
    for body, keys in runbook.steps():
        kind = "gate" if body.gate else "manual"
        asked = body.gate or body.manual
        if asked is None:
            continue
        if body.gate is not None and asked.role is None:
            hint = "Add role: with a key of the inventory's contacts."
            yield _warn(
                runbook.document.key_problem("role", "nobody is named to decide", (*keys, "gate"), hint)
            )
        elif asked.role is not None and asked.role not in inventory.contacts:
            summary = f"the inventory has no contact for the role {asked.role!r}"
            hint = suggest(asked.role, inventory.contacts)
            yield _warn(runbook.document.problem("contact", summary, (*keys, kind, "role"), hint))
        confirms = body.manual.confirms if body.manual else None
        if confirms is not None and confirms not in inventory.services:
            summary = f"no service is called {confirms!r}"
            hint = suggest(confirms, inventory.services)
            yield runbook.document.problem("unknown-service", summary, (*keys, "manual", "confirms"), hint)
    if not any(isinstance(step.body, (Gate, Manual)) for step in expansion.steps):
        summary = "nobody is asked before anything is changed"
        yield _warn(runbook.document.problem("gate", summary, ("phases",), "Add a gate to the first phase."))


def _recovery_points(runbook: Runbook, inventory: Inventory) -> Iterator[Problem]:
    """Between two transfers the lag grows to the interval plus a transfer: an equal RPO is broken each time."""
    for service, body in inventory.services.items():
        for index, volume in enumerate(body.volumes):
            rpo = body.objectives.rpo or runbook.body.objectives.rpo
            if rpo is None or volume.schedule is None:
                continue
            worst = volume.schedule + (volume.usual_transfer or 0)
            if rpo < worst or (rpo == worst and volume.usual_transfer is None):
                keys: Keys = ("services", service, "volumes", index, "schedule")
                yield _warn(
                    inventory.document.problem(
                        "rpo",
                        f"{volume.name}: an RPO of {_short(rpo)} is not kept by a mirror every {_short(volume.schedule)}",
                        keys,
                        hint="Mirror more often, or state the RPO that is true.",
                        detail="Just before a transfer ends, the copy is as old as the interval plus a transfer.",
                    )
                )


def _short(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"


def _addresses(inventory: Inventory, expansion: Expansion) -> Iterator[Problem]:
    """Guest addresses do not change by themselves."""
    started = {step.item for step in expansion.steps if _uses(step) == "vsphere.vm.power_on"}
    addressed = {step.item for step in expansion.steps if _uses(step) == "vsphere.vm.set_ip"}
    for service, body in inventory.services.items():
        for index, vm in enumerate(body.vms):
            source, target = vm.at.get(expansion.source), vm.at.get(expansion.target)
            if source is None or target is None or vm.name not in started or vm.name in addressed:
                continue
            if source.ip != target.ip:
                keys: Keys = ("services", service, "vms", index, "at", expansion.target, "ip")
                summary = f"{vm.name} has another address at {expansion.target}, and no step sets it"
                yield _warn(
                    inventory.document.problem("guest-ip", summary, keys, "Add a vsphere.vm.set_ip step.")
                )


def _uses(step: Step) -> str:
    return step.body.uses if isinstance(step.body, Use) else ""


def _machines(inventory: Inventory) -> Iterator[Problem]:
    seen: dict[str, Keys] = {}
    for service, body in inventory.services.items():
        for index, vm in enumerate(body.vms):
            keys: Keys = ("services", service, "vms", index)
            if vm.priority not in _PRIORITIES:
                summary = f"{vm.name}: priorities go from 1 (first) to 5 (last)"
                yield _warn(inventory.document.problem("priority", summary, (*keys, "priority")))
            if vm.uuid is None:
                continue
            first = seen.setdefault(vm.uuid.replace("-", "").lower(), keys)
            if first != keys:
                hint = f"The other is at line {inventory.document.value((*first, 'uuid')).line}."
                summary = f"{vm.name}: another machine has this uuid"
                yield _warn(inventory.document.problem("uuid", summary, (*keys, "uuid"), hint))
