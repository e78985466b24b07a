"""How the small providers call what the lab's faults do to them: refused, unreachable, unknown."""

from __future__ import annotations

import pytest
from contract import Example

from drctl.core.probe import Level, Probe
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.check import PROVIDER as CHECK

ZONE = "teleradio.example."
RECORD = Example(
    "dns.record.set",
    "dns-main",
    {"zone": ZONE, "name": "pacs", "type": "A", "ttl": 60, "values": ["198.51.100.102"]},
)
RELOAD = Example(
    "ssh.run",
    "edge-lyon",
    {"command": ["systemctl", "reload", "edge"], "convergent": False, "timeout": 1},
)


def judged(stand, uses, arguments):
    found = stand.registry.find(uses)
    assert issubclass(found, Probe)
    probe = found.model_validate(arguments)
    with stand.connect(Access.READ) as client:
        return probe.judge(probe.observe(client))


def failure(stand):
    action = stand.action
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None
        with pytest.raises(ProviderError) as failed:
            action.apply(client, change, stand.control())
    return failed.value


def checks(stand):
    services = stand.inventory["services"].values()
    return [check for service in services for check in service.get("checks", ())]


def test_a_sound_estate_satisfies_every_probe(bench):
    stand = bench(RECORD)
    before = stand.mutations()
    access = judged(stand, "dns.access", {"zone": ZONE})
    assert access.level is Level.OK, access
    now = {"zone": ZONE, "name": "pacs", "type": "A", "values": [stand.mapped("192.0.2.102")], "max_ttl": 60}
    expected = judged(stand, "dns.record.as_expected", now)
    assert expected.level is Level.OK, expected
    with CHECK.connect(None, Access.READ) as client:
        for check in checks(stand):
            probe = stand.registry.find(check["uses"]).model_validate(check["with"])
            finding = probe.judge(probe.observe(client))
            assert finding.level is Level.OK, finding
    assert stand.mutations() == before


def test_a_host_lets_us_in(bench):
    stand = bench(RELOAD)
    finding = judged(stand, "ssh.access", {})
    assert finding.level is Level.OK, finding


def test_a_dead_site_fails_its_checks_without_an_error(bench):
    stand = bench(RECORD)
    stand.world.faults.add("site-down:paris")
    (check,) = [check for check in checks(stand) if check["name"] == "viewer"]
    with CHECK.connect(None, Access.READ) as client:
        probe = stand.registry.find(check["uses"]).model_validate({**check["with"], "timeout": 0.5})
        finding = probe.judge(probe.observe(client))
    assert finding.level is Level.BLOCKER
    assert "no answer within 0.5 s" in finding.summary


def test_a_primary_in_a_dead_site_is_unreachable(bench):
    stand = bench(RECORD)
    stand.world.faults.add("site-down:lyon")
    with stand.connect(Access.READ, timeout=0.3) as client, pytest.raises(ProviderError) as failed:
        stand.action.read(client)
    assert failed.value.unreachable


def test_a_refused_update_is_a_refusal(bench):
    stand = bench(RECORD)
    stand.world.faults.add("dns-refused:dns-main")
    error = failure(stand)
    assert (error.problem.code, error.effect_unknown) == ("dns-update-refused", False)


def test_a_bad_key_is_found_and_refused(bench):
    stand = bench(RECORD)
    stand.world.faults.add("tsig-bad-key:dns-main")
    assert judged(stand, "dns.access", {"zone": ZONE}).level is Level.BLOCKER
    error = failure(stand)
    assert (error.problem.code, error.effect_unknown) == ("dns-key-refused", False)


def test_a_stale_secondary_keeps_the_record_unfinished(bench):
    stand = bench(RECORD)
    stand.world.faults.add("dns-stale-secondary")
    action = stand.action
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None
        action.apply(client, change, stand.control())
        stand.world.advance(600)
        waiting = action.diff(action.read(client))
        assert waiting is not None
        assert "still the old answer" in waiting.summary
        sent = stand.mutations()
        action.apply(client, waiting, stand.control())
        assert stand.mutations() == sent
        stand.world.faults.lift("dns-stale-secondary")
        assert stand.left_to_do(action, client) is None


def test_a_changed_host_key_is_a_finding(bench):
    stand = bench(RELOAD)
    stand.world.faults.add("ssh-host-key-changed:edge-lyon")
    finding = judged(stand, "ssh.access", {})
    assert finding.level is Level.BLOCKER
    assert "another host key" in finding.summary


def test_a_refused_login_is_a_finding(bench):
    stand = bench(RELOAD)
    stand.world.faults.add("auth-expired:edge-lyon")
    finding = judged(stand, "ssh.access", {})
    assert finding.level is Level.BLOCKER
    assert "refuses" in finding.summary


def test_a_host_in_a_dead_site_is_unreachable(bench):
    stand = bench(RELOAD)
    stand.world.faults.add("site-down:lyon")
    probe = stand.registry.find("ssh.access")()
    with stand.connect(Access.READ, connect_timeout=0.3) as client, pytest.raises(ProviderError) as failed:
        probe.observe(client)
    assert failed.value.unreachable


def test_a_command_whose_answer_is_lost_may_have_run(bench):
    stand = bench(RELOAD)
    stand.world.faults.add("reply-lost:edge-lyon:once")
    error = failure(stand)
    assert (error.problem.code, error.effect_unknown) == ("ssh-answer-lost", True)
    assert len(stand.mutations()) == 1


def test_a_command_that_hangs_is_killed_on_its_host(bench):
    stand = bench(RELOAD)
    stand.world.faults.add("ssh-hang:edge-lyon")
    error = failure(stand)
    assert (error.problem.code, error.effect_unknown) == ("ssh-timeout", True)
