"""The services of a case as journals have them."""

from __future__ import annotations

from drctl.app.case import Case
from drctl.core import events as ev
from drctl.engine.step import Step, Use
from drctl.inventory.model import ServiceBody


def services_of(case: Case) -> tuple[ev.ServiceData, ...]:
    """Return the services that a case serves: their objectives, and the checks that end their outage."""
    return tuple(
        _service(name, service, case.expansion.steps)
        for name, service in case.inventory.services.items()
        if name in case.expansion.services
    )


def _service(name: str, service: ServiceBody, steps: tuple[Step, ...]) -> ev.ServiceData:
    checks = [
        step.id
        for step in steps
        if step.service == name and isinstance(step.body, Use) and step.body.kind == "probe"
    ]
    return ev.ServiceData(
        name=name,
        title=service.title or name,
        tier=service.tier,
        objectives=ev.ObjectivesData(
            rto=service.objectives.rto, rpo=service.objectives.rpo, mtpd=service.objectives.mtpd
        ),
        checks=tuple(checks),
        volumes=tuple(volume.name for volume in service.volumes),
    )
