"""A forecast in words: when it should end, against which objective, and who is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from pydantic import JsonValue

from drctl.core.duration import format_duration
from drctl.report.forecast import Forecast, ServiceForecast

NO_HISTORY = "none: no past run of this runbook on this inventory to learn from"


def plan_forecast_lines(forecast: Forecast) -> Iterator[str]:
    """Yield how long a planned run should take, against the RTO with the least margin."""
    if forecast.end is None:
        yield f"forecast {NO_HISTORY}"
        return
    least = "at least " if forecast.unknown else ""
    end = forecast.end
    span = f"{least}{format_duration(end.p50)} (P50), {format_duration(end.p90)} (P90)"
    yield f"expected duration {span}, from {_runs(forecast)}"
    if (tight := forecast.tightest) is not None and tight.target is not None and tight.left is not None:
        margin = _margin(tight.left - tight.end.p50)
        yield f"tightest RTO {format_duration(tight.target)}, {margin} ({tight.title}), counted from the start"
    yield from caveats(forecast)


def forecast_text(forecast: Forecast, zone: tzinfo) -> str:
    """Return the expected end of a run under way against its RTO, in one line; without history it says so."""
    if forecast.end is None:
        return NO_HISTORY
    about = "not before" if forecast.unknown else "about"
    p50, p90 = (forecast.at(seconds).astimezone(zone) for seconds in (forecast.end.p50, forecast.end.p90))
    text = f"ends {about} {p50:%H:%M} (P90 {p90:%H:%M}) {p50:%Z}"
    tight = forecast.tightest
    return f"{text}; {margin_text(forecast, tight, zone)}" if tight else text


def margin_text(forecast: Forecast, service: ServiceForecast, zone: tzinfo) -> str:
    """Return a service's RTO with what should be left of it when its checks pass, at the median."""
    if service.left is None:
        return f"no RTO for {service.title}"
    word = _margin(service.left - service.end.p50)
    return f"RTO {forecast.at(service.left).astimezone(zone):%H:%M}, {word} ({service.title})"


def caveats(forecast: Forecast) -> Iterator[str]:
    """Yield what a forecast does not count and what strains it."""
    if forecast.questions:
        took = "not known" if forecast.people is None else f"{format_duration(forecast.people)} in the past"
        count = forecast.questions
        yield f"people not counted: {count} question{'s' if count > 1 else ''} ahead, {took}"
    if forecast.unknown:
        yield f"no history, not counted: {_some(forecast.unknown)}"
    if forecast.borrowed:
        yield f"known from other modes, such as drills, alone: {_some(forecast.borrowed)}"
    if forecast.late:
        yield f"longer than in any past run: {_some(forecast.late)}"


def forecast_document(forecast: Forecast) -> dict[str, JsonValue]:
    """Return a forecast as JSON prints it: seconds from now, instants ISO 8601; null where unknown."""
    end = forecast.end
    return {
        "runs": forecast.runs,
        "end": None
        if end is None
        else {
            "p50_seconds": end.p50,
            "p90_seconds": end.p90,
            "p50": forecast.at(end.p50).isoformat(timespec="seconds"),
            "p90": forecast.at(end.p90).isoformat(timespec="seconds"),
        },
        "services": [
            {
                "service": service.name,
                "p50_seconds": service.end.p50,
                "p90_seconds": service.end.p90,
                "rto_seconds": service.target,
                "margin_p50_seconds": None if service.left is None else service.left - service.end.p50,
                "margin_p90_seconds": None if service.left is None else service.left - service.end.p90,
            }
            for service in forecast.services
        ],
        "questions": forecast.questions,
        "people_seconds": forecast.people,
        "unknown": list(forecast.unknown),
        "borrowed": list(forecast.borrowed),
        "late": list(forecast.late),
        "waits": [{"step": w.step, "role": w.role, "seconds": w.seconds} for w in forecast.waits],
    }


def _margin(margin: float) -> str:
    return f"margin {_minutes(margin)}" if margin >= 0 else f"MISSED by {_minutes(-margin)}"


def _runs(forecast: Forecast) -> str:
    return f"{forecast.runs} past run{'s' if forecast.runs > 1 else ''}"


def _some(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _minutes(seconds: float) -> str:
    """Return a margin without the seconds nobody plans by."""
    return format_duration(seconds) if seconds >= 3600 or seconds < 60 else f"{seconds / 60:.0f} min"
