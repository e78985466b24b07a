"""The dns provider against BIND 9."""

from __future__ import annotations

import contextlib
import signal

import pytest

from drctl.core.probe import Level
from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.check import PROVIDER as CHECK
from drctl.providers.check.probes import Dns, Http
from drctl.providers.dns import PROVIDER
from drctl.providers.dns.actions import SetRecord
from drctl.providers.dns.model import Update
from drctl.providers.dns.probes import Access as DnsAccess
from drctl.providers.dns.probes import RecordAsExpected

ZONE = "teleradio.example."
OLD, NEW = "192.0.2.102", "198.51.100.102"


def record(**changes):
    fields = {"zone": ZONE, "name": "pacs", "type": "A", "ttl": 60, "values": [NEW], "expect": [OLD]}
    return SetRecord.model_validate({**fields, **changes})


def change_of(before=(OLD,), after=(NEW,), name="pacs"):
    return Update(ZONE, f"{name}.{ZONE}", "A", 60, tuple(before), tuple(after))


@contextlib.contextmanager
def opened(bind, access=Access.WRITE, **changes):
    with PROVIDER.connect(bind.endpoint(**changes), access) as client:
        yield client


@pytest.fixture
def make(control, wait_until):
    def make(action, client):
        before = action.read(client)
        change = action.diff(before)
        assert change is not None
        action.apply(client, change, control)
        wait_until(lambda: action.diff(action.read(client)) is None, "the record on every server")
        return before, change

    return make


# --- changing ---------------------------------------------------------------------------------


def test_a_record_moves_on_every_server(bind, make):
    action = record()
    with opened(bind) as client:
        _, change = make(action, client)
        state = action.read(client)
    assert [(field.name, field.before, field.after) for field in change.fields] == [
        ("values", [OLD], [NEW]),
        ("ttl", 300, 60),
    ]
    assert "resolvers may keep the old answer 5 min" in change.summary
    assert [(answer.values, answer.ttl) for answer in (state.primary, *state.secondaries)] == [
        ((NEW,), 60)
    ] * 2
    assert action.outputs(state) == {
        "name": "pacs.teleradio.example.",
        "values": [NEW],
        "ttl": 60,
        "serial": 2,
        "unproven_servers": [],
    }
    assert bind.secondary.serial() == 2


def test_undo_brings_back_values_and_the_old_ttl(bind, make):
    with opened(bind) as client:
        action = record()
        before, change = make(action, client)
        recipe = action.undo(before, change)
        assert recipe is not None
        make(SetRecord.model_validate(dict(recipe.arguments)), client)
        state = action.read(client)
    assert (state.primary.values, state.primary.ttl) == ((OLD,), 300)


def test_a_new_record_and_its_undo(bind, make):
    with opened(bind) as client:
        action = record(name="status", type="TXT", values=['"at the standby"'], expect=[])
        before, change = make(action, client)
        assert change.fields[0].before is None
        recipe = action.undo(before, change)
        assert recipe is not None
        make(SetRecord.model_validate(dict(recipe.arguments)), client)
        assert action.read(client).primary.values == ()


def test_only_the_ttl(bind, make):
    with opened(bind) as client:
        _, change = make(record(values=[OLD], expect=None), client)
    assert [field.name for field in change.fields] == ["ttl"]


def test_the_whole_set_is_the_condition(bind, make):
    """BIND refuses a prerequisite that lists a part of the RRset, so all of it is listed."""
    with opened(bind) as client:
        with pytest.raises(ProviderError) as refused:
            client.update(change_of(["192.0.2.1"], name="pair"))
        make(record(name="pair", expect=["192.0.2.2", "192.0.2.1"]), client)
    assert refused.value.problem.code == "dns-changed-meanwhile"


@pytest.mark.parametrize("before", [("192.0.2.99",), ()], ids=["stale", "absent"])
def test_a_wrong_condition_changes_nothing(bind, before):
    with opened(bind) as client:
        with pytest.raises(ProviderError) as refused:
            client.update(change_of(before))
        assert record().read(client).primary.values == (OLD,)
    assert refused.value.problem.code == "dns-changed-meanwhile"
    assert not refused.value.effect_unknown
    assert bind.primary.serial() == 1


def test_what_somebody_else_changed_is_left_alone(bind, control):
    action = record()
    with opened(bind) as client:
        change = action.diff(action.read(client))
        assert change is not None
        bind.nsupdate(
            "update delete pacs.teleradio.example. A", "update add pacs.teleradio.example. 300 A 192.0.2.77"
        )
        with pytest.raises(ProviderError) as late:
            action.apply(client, change, control)
        with pytest.raises(ProviderError) as early:
            action.diff(action.read(client))
    assert late.value.problem.code == "dns-changed-meanwhile"
    assert early.value.problem.code == "dns-unexpected-value"
    assert "is 192.0.2.77; expected 192.0.2.102" in early.value.problem.summary


def test_a_wildcard_is_no_record_to_compare_with(bind, control):
    action = record(name="x.any", expect=["192.0.2.9"])
    with opened(bind) as client:
        change = action.diff(action.read(client))
        assert change is not None
        with pytest.raises(ProviderError) as refused:
            action.apply(client, change, control)
    assert "wildcard" in refused.value.problem.hint


def test_an_alias_is_said_to_be_one(bind):
    with opened(bind) as client, pytest.raises(ProviderError) as refused:
        record(name="old").read(client)
    assert "CNAME pacs.teleradio.example." in refused.value.problem.detail


# --- secondaries ------------------------------------------------------------------------------


def test_a_stale_secondary_is_waited_for_and_nothing_is_sent_twice(slow_bind, control, wait_until):
    action = record()
    with opened(slow_bind) as client:
        change = action.diff(action.read(client))
        assert change is not None
        action.apply(client, change, control)
        waiting = action.diff(action.read(client))
        assert waiting is not None
        assert slow_bind.secondary.address in waiting.summary
        assert waiting.fields[0].before == {"values": [OLD], "ttl": 300}
        assert action.undo(action.read(client), waiting) is None
        action.apply(client, waiting, control)
        assert slow_bind.primary.serial() == 2
        assert control.said == [waiting.summary]
        slow_bind.notify_secondary()
        wait_until(lambda: action.diff(action.read(client)) is None, "the record on the secondary")


def test_a_frozen_secondary_is_unproven_and_catches_up(bind, control, wait_until):
    action = record()
    with opened(bind, timeout=0.8) as client:
        bind.secondary.signal(signal.SIGSTOP)
        change = action.diff(action.read(client))
        assert change is not None
        action.apply(client, change, control)
        state = action.read(client)
        assert action.diff(state) is None
        assert action.outputs(state)["unproven_servers"] == [bind.secondary.address]
        bind.secondary.signal(signal.SIGCONT)
        wait_until(
            lambda: not action.outputs(action.read(client))["unproven_servers"], "an answer of the secondary"
        )
        wait_until(lambda: action.diff(action.read(client)) is None, "the record on the secondary")


def test_a_secondary_takes_no_update(bind):
    with (
        opened(bind, port=bind.secondary.port, secondaries=()) as client,
        pytest.raises(ProviderError) as refused,
    ):
        client.update(change_of())
    assert refused.value.problem.code == "dns-update-refused"
    assert not refused.value.effect_unknown
    assert bind.primary.serial() == 1


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"secret": "d3Jvbmcgc2VjcmV0IG9mIHRoaXMga2V5"}, "another secret"),
        ({"key": "nobody."}, "does not know"),
        ({"algorithm": "hmac-sha512"}, "TSIG"),
    ],
    ids=["secret", "name", "algorithm"],
)
def test_a_wrong_key_is_refused_and_found_before(bind, wrong, why):
    probe = DnsAccess(zone=ZONE)
    with opened(bind, **wrong) as client:
        with pytest.raises(ProviderError) as refused:
            client.update(change_of())
        finding = probe.judge(probe.observe(client))
    assert refused.value.problem.code == "dns-key-refused"
    assert why in refused.value.problem.summary
    assert (finding.level, finding.impossible) == (Level.BLOCKER, False)
    assert why in finding.summary
    assert bind.primary.serial() == 1


def test_a_secret_that_is_not_base64_is_said(bind):
    with opened(bind, secret="not base64!") as client, pytest.raises(ProviderError) as refused:
        client.update(change_of())
    assert refused.value.problem.code == "dns-key-invalid"
    assert "not base64!" not in str(refused.value.problem)


def test_a_reader_sends_no_update(bind, control):
    action = record()
    with opened(bind, Access.READ) as client:
        change = action.diff(action.read(client))
        assert change is not None
        with pytest.raises(ReadOnlyError):
            action.apply(client, change, control)
    assert bind.primary.serial() == 1


# --- wires ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [lambda data: b"", lambda data: data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]],
    ids=["lost", "bad signature"],
)
def test_an_answer_that_cannot_be_trusted_leaves_the_effect_unknown(bind, wire, wait_until, answer):
    relay = wire(bind.primary.port, answer)
    with opened(bind, port=relay.port) as client, pytest.raises(ProviderError) as lost:
        client.update(change_of())
    assert lost.value.effect_unknown
    assert not lost.value.unreachable
    with opened(bind) as client:
        wait_until(lambda: record().diff(record().read(client)) is None, "the record on every server")


def test_a_primary_that_is_not_there_got_nothing(bind):
    bind.primary.process.kill()
    bind.primary.process.wait()
    with opened(bind, timeout=0.2) as client:
        with pytest.raises(ProviderError) as sent:
            client.update(change_of())
        with pytest.raises(ProviderError) as read:
            record().read(client)
        with pytest.raises(ProviderError) as probed:
            DnsAccess(zone=ZONE).observe(client)
    for error in (sent.value, read.value, probed.value):
        assert (error.unreachable, error.effect_unknown) == (True, False)


# --- probes -----------------------------------------------------------------------------------


def test_access(bind):
    probe = DnsAccess(zone="teleradio.example")
    with opened(bind) as client:
        seen = probe.observe(client)
        foreign = DnsAccess(zone="elsewhere.example.")
        elsewhere = foreign.judge(foreign.observe(client))
        bind.secondary.process.kill()
        bind.secondary.process.wait()
    with opened(bind, timeout=0.8) as client:
        alone = probe.judge(probe.observe(client))
    assert probe.judge(seen).level is Level.OK
    assert seen.values["serial"] == 1
    assert abs(seen.values["clock_skew_seconds"]) < 2
    assert (elsewhere.level, elsewhere.impossible) == (Level.BLOCKER, True)
    assert alone.level is Level.WARNING
    assert bind.secondary.address in alone.summary


@pytest.mark.parametrize(
    ("fields", "level", "text"),
    [
        ({"values": [OLD], "max_ttl": 300}, Level.OK, "on every server, TTL 300 s"),
        ({"values": [NEW], "also": [OLD]}, Level.OK, OLD),
        ({"values": [OLD], "max_ttl": 60}, Level.WARNING, "TTL is 300 s, more than 60 s"),
        ({"values": [NEW]}, Level.BLOCKER, f"is not {NEW}"),
        ({"values": [OLD], "name": "nobody"}, Level.BLOCKER, "no such record"),
        ({"values": [OLD], "zone": "elsewhere.example"}, Level.BLOCKER, "REFUSED"),
    ],
    ids=["same", "also", "ttl", "other", "absent", "zone"],
)
def test_record_as_expected(bind, fields, level, text):
    probe = RecordAsExpected.model_validate({"zone": ZONE, "name": "pacs", "type": "A", **fields})
    with opened(bind, Access.READ) as client:
        finding = probe.judge(probe.observe(client))
    assert finding.level is level
    assert text in finding.summary
    assert finding.impossible == (fields.get("zone") == "elsewhere.example")


def test_a_stale_secondary_is_found(slow_bind):
    with opened(slow_bind) as client:
        client.update(change_of())
        probe = RecordAsExpected.model_validate({"zone": ZONE, "name": "pacs", "type": "A", "values": [NEW]})
        finding = probe.judge(probe.observe(client))
    assert finding.level is Level.BLOCKER
    assert finding.details == (f"{slow_bind.secondary.address} answers {OLD}",)


def test_the_check_asks_every_server_it_is_given(slow_bind):
    servers = (slow_bind.primary.address, slow_bind.secondary.address)
    fields = {"zone": ZONE, "name": "pacs", "type": "A", "values": [NEW], "servers": servers}
    probe = Dns.model_validate(fields)
    with opened(slow_bind) as client:
        client.update(change_of())
    with CHECK.connect(None, Access.READ) as caller:
        before = probe.judge(probe.observe(caller))
        slow_bind.notify_secondary()
        alone = Dns.model_validate({**fields, "servers": servers[:1]})
        primary = alone.judge(alone.observe(caller))
    assert before.level is Level.BLOCKER
    assert before.details == (f"{servers[1]}: answers {OLD}",)
    assert primary.level is Level.OK


def test_a_check_finds_its_host_through_the_resolver_it_is_given(bind):
    probe = Http(url="http://nobody.teleradio.example/", resolver=bind.primary.address, timeout=2.0)
    with CHECK.connect(None, Access.READ) as caller:
        finding = probe.judge(probe.observe(caller))
    assert finding.level is Level.BLOCKER
    assert "no such name" in finding.summary
