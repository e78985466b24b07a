"""Whether a vCenter lets us in, and what time it is there."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field as Limits

from drctl.core.bubble import Bubble
from drctl.core.duration import Duration, format_duration
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.providers.vsphere.client import Vsphere

LOGIN_REFUSED = frozenset({"vsphere-invalid-login", "vsphere-no-permission", "vsphere-password-expired"})


class Reachable(Probe[Vsphere]):
    """Whether drctl's credentials are valid at this vCenter and its clock is close to ours."""

    name: ClassVar[str] = "vsphere.access"
    output_names: ClassVar[frozenset[str]] = frozenset({"authenticated", "clock_skew_seconds", "version"})

    max_skew: Duration = Limits(
        300.0, description="How far vCenter's clock may be from ours; beyond that it blocks."
    )

    def observe(self, client: Vsphere) -> Observation:
        """Log in and ask for the time."""
        try:
            about, skew = client.read("session", lambda wire: (str(wire.content.about.fullName), wire.skew))
        except ProviderError as error:
            if error.problem.code not in LOGIN_REFUSED:
                raise
            return Observation({"authenticated": False, "reason": error.problem.summary})
        return Observation({"authenticated": True, "version": about, "clock_skew_seconds": round(skew, 1)})

    def judge(self, seen: Observation) -> Finding:
        """Refused credentials make everything impossible; a clock that is off blocks an ordinary day."""
        if not seen.values.get("authenticated"):
            return Finding(
                Level.BLOCKER,
                str(seen.values.get("reason") or "vCenter refused the login"),
                hint="Check username and password of the endpoint, and that the SSO domain survives the loss of the site.",
                impossible=True,
            )
        given = seen.values.get("clock_skew_seconds")
        skew = float(given) if isinstance(given, int | float) else 0.0
        if abs(skew) > self.max_skew:
            side = "ahead of" if skew > 0 else "behind"
            return Finding(
                Level.BLOCKER,
                f"its clock is {format_duration(abs(skew))} {side} ours (allowed: {format_duration(self.max_skew)})",
                hint="Check NTP on the vCenter and here.",
            )
        return Finding(Level.OK, f"logged in to {seen.values.get('version')}")

    def in_drill(self, bubble: Bubble) -> None:
        """Ask as it is: it is about the vCenter that holds the bubble."""
