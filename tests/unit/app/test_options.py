"""What people type: times that have been, reasons that say something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drctl.cli.options import parse_incident, parse_instant, parse_parameters, require_reason
from drctl.core.problem import DrctlError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def local(instant: datetime) -> str:
    return f"{instant.astimezone():%H:%M}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        (local(NOW - timedelta(minutes=10)), NOW - timedelta(minutes=10)),
        ("2026-01-31T03:12:00+01:00", datetime(2026, 1, 31, 2, 12, tzinfo=UTC)),
        ("2026-01-30T23:50:00Z", datetime(2026, 1, 30, 23, 50, tzinfo=UTC)),
        (local(NOW), NOW),
    ],
)
def test_times(text, expected):
    assert parse_instant(text, "--impact-at", NOW) == expected


def test_a_time_without_a_zone_is_local():
    naive = NOW.astimezone().replace(tzinfo=None) - timedelta(hours=1)
    assert parse_instant(naive.isoformat(), "--impact-at", NOW) == NOW - timedelta(hours=1)


@pytest.mark.parametrize("text", ["yesterday", "25:00", "2026-13-01", ""])
def test_what_is_no_time_is_said(text):
    with pytest.raises(DrctlError, match=r"--impact-at .*: not a time"):
        parse_instant(text, "--impact-at", NOW)


@pytest.mark.parametrize("text", [local(NOW + timedelta(minutes=10)), "2026-01-31T12:00:01Z", "2027-01-01"])
def test_what_is_still_to_come_is_refused(text):
    """A typing error here would falsify the data loss and every RTO."""
    with pytest.raises(DrctlError, match="that is still to come"):
        parse_instant(text, "--impact-at", NOW)


def test_after_midnight_the_evening_before_must_be_written():
    night = datetime(2026, 1, 31, 0, 10).astimezone()
    with pytest.raises(DrctlError) as caught:
        parse_instant("23:50", "--impact-at", night)
    assert "2026-01-30T23:50" in caught.value.problems[0].hint
    written = caught.value.problems[0].hint.removeprefix("The day before is ").rstrip(".")
    assert parse_instant(written, "--impact-at", night) == night - timedelta(minutes=20)


@pytest.mark.parametrize(
    ("minutes", "wrong"),
    [
        ((30, 25, 20), None),
        ((30, None, 20), None),
        ((None, None, None), None),
        ((20, 20, 20), None),
        ((20, 25, None), "--detected-at is before --impact-at"),
        ((20, None, 25), "--declared-at is before --impact-at"),
        ((None, 20, 25), "--declared-at is before --detected-at"),
    ],
)
def test_an_incident_happens_is_detected_and_declared(minutes, wrong):
    instants = [None if m is None else NOW - timedelta(minutes=m) for m in minutes]
    texts = [instant and instant.isoformat() for instant in instants]
    if wrong is None:
        assert parse_incident(texts, NOW) == instants
    else:
        with pytest.raises(DrctlError, match=wrong):
            parse_incident(texts, NOW)


@pytest.mark.parametrize(("yes", "reason", "fine"), [(True, "INC-7", True), (True, "", False), (True, "  ", False), (False, "", True)])  # fmt: skip
def test_yes_needs_a_reason(yes, reason, fine):
    if fine:
        require_reason(yes=yes, reason=reason)
    else:
        with pytest.raises(DrctlError, match="needs --reason"):
            require_reason(yes=yes, reason=reason)


def test_parameters():
    assert parse_parameters(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(DrctlError, match="KEY=VALUE"):
        parse_parameters(["a"])
