"""What a precheck asks a host: does the login work, and is its clock close to ours."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field as Argument

from drctl.core.action import NotExercised, Recipe
from drctl.core.bubble import Bubble
from drctl.core.clock import SystemClock
from drctl.core.duration import Duration, format_duration
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.providers.ssh.model import Host

TIMEOUT = 20.0
"""Seconds for ``date`` to answer."""


class Access(Probe[Host]):
    """The host key is the known one, the login works, commands run, and the clock is close to ours."""

    name: ClassVar[str] = "ssh.access"
    output_names: ClassVar[frozenset[str]] = frozenset({"refused", "clock_skew_seconds"})

    max_skew: Duration = Argument(
        300.0, description="How far the host's clock may be from ours without a warning."
    )

    def observe(self, client: Host) -> Observation:
        """Log in and ask for the time; raise ``ProviderError`` when no SSH server answers."""
        clock = SystemClock()
        started = clock.now().timestamp()
        try:
            result = client.guard(("date", "+%s"), TIMEOUT)
        except ProviderError as error:
            if error.unreachable:
                raise
            problem = error.problem
            return Observation(
                {
                    "refused": problem.summary,
                    "detail": problem.detail,
                    "hint": problem.hint,
                    "clock_skew_seconds": None,
                }
            )
        middle = (started + clock.now().timestamp()) / 2
        seen = re.search(r"^\d{9,11}$", result.output, re.MULTILINE)
        skew = round(float(seen[0]) + 0.5 - middle, 1) if seen else None
        return Observation({"refused": "", "detail": "", "hint": "", "clock_skew_seconds": skew})

    def judge(self, seen: Observation) -> Finding:
        """Block on a refused login; warn about the clock."""
        values = seen.values
        if values["refused"]:
            detail = values["detail"]
            details = (str(detail),) if detail else ()
            return Finding(Level.BLOCKER, str(values["refused"]), details, hint=str(values["hint"]))
        skew = values["clock_skew_seconds"]
        if not isinstance(skew, (int, float)):
            return Finding(Level.WARNING, "the login works; `date +%s` did not answer with a time")
        if abs(skew) > self.max_skew:
            direction = "ahead of" if skew > 0 else "behind"
            return Finding(
                Level.WARNING, f"the login works; its clock is {format_duration(abs(skew))} {direction} ours"
            )
        return Finding(Level.OK, "the login works")

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Ask the way into the bubble instead: it is the host that a drill depends on."""
        if bubble.via is None:
            return NotExercised(f"the bubble of {bubble.site} has no way in (`via`)")
        return Recipe(self.name, {"max_skew": self.max_skew}, endpoint=bubble.via)
