"""What a record step may say, and what it costs to say it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from drctl.core.action import Change, ObjectRef
from drctl.core.provider import Access
from drctl.core.secret import Secret
from drctl.providers.dns import PROVIDER
from drctl.providers.dns.actions import SetRecord
from drctl.providers.dns.model import Answer, DnsEndpoint, RecordState, Ttl, Update
from drctl.providers.dns.probes import RecordAsExpected

FIELDS = {"zone": "teleradio.example.", "name": "pacs", "type": "A", "ttl": 60, "values": ["192.0.2.1"]}


def record(**changes):
    return SetRecord.model_validate({**FIELDS, **changes})


@pytest.mark.parametrize("module", ["dns", "ssh", "check"])
def test_importing_a_provider_loads_no_heavy_library(module):
    code = (
        f"import sys, drctl.providers.{module} as p; p.PROVIDER.actions, p.PROVIDER.probes; "
        "print({'dns', 'paramiko', 'requests', 'ssl', 'http.client'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("none\n", "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"values": ["192.0.2.300"]}, "no A record"),
        ({"values": ["here"], "type": "AAAA"}, "no AAAA record"),
        ({"values": []}, "say in `expect` what may be removed"),
        ({"name": "pacs.elsewhere.example."}, "outside the zone"),
        ({"type": "SOA"}, "type"),
        ({"ttl": "-1"}, "ttl"),
        ({"host": "x"}, "host"),
    ],
    ids=["value", "type", "empty", "zone", "soa", "ttl", "unknown"],
)
def test_what_a_record_may_not_be(changes, text):
    with pytest.raises(ValidationError, match=text):
        record(**changes)


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        ("A", ["192.0.2.2", "192.0.2.1", "192.0.2.2"], ("192.0.2.1", "192.0.2.2")),
        ("AAAA", ["2001:DB8:0::1"], ("2001:db8::1",)),
        ("CNAME", ["Edge"], ("edge.teleradio.example.",)),
        ("MX", ["10  mail.Elsewhere.example."], ("10 mail.elsewhere.example.",)),
        ("TXT", ["Hello"], ('"Hello"',)),
    ],
)
def test_values_have_one_spelling(kind, written, kept):
    assert record(type=kind, values=written).values == kept


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("pacs", "pacs.teleradio.example."),
        ("@", "teleradio.example."),
        ("A.Teleradio.Example.", "a.teleradio.example."),
    ],
)
def test_names(name, full):
    action = record(name=name)
    assert action.record == full
    assert action.touches() == frozenset({ObjectRef("record", f"{full} A")})
    probe = RecordAsExpected.model_validate({**{k: v for k, v in FIELDS.items() if k != "ttl"}, "name": name})
    assert probe.needs_objects() == action.touches()


def test_a_ttl_may_be_written_as_a_duration():
    assert TypeAdapter(Ttl).validate_python("5m") == 300


def test_undo_keeps_the_ttl_that_was_recorded():
    before = RecordState(Answer("s", ("192.0.2.9",), 3600))
    action = record()
    change = action.diff(before)
    assert isinstance(change, Change)
    recipe = action.undo(before, change)
    assert recipe is not None
    assert recipe.arguments == {
        "zone": "teleradio.example.",
        "name": "pacs.teleradio.example.",
        "type": "A",
        "ttl": 3600,
        "values": ["192.0.2.9"],
        "expect": ["192.0.2.1"],
    }
    back = SetRecord.model_validate(dict(recipe.arguments))
    assert back.diff(before) is None


def test_the_message_lists_the_whole_set_without_ttl():
    """RFC 2136, section 2.4.2: the TTL of a prerequisite is zero, and every RR of the set is listed."""
    from drctl.providers.dns.client import update_message  # noqa: PLC0415 - dnspython loads on use

    message = update_message(
        Update(
            "teleradio.example.",
            "pacs.teleradio.example.",
            "A",
            60,
            ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.3",),
        )
    )
    assert [(rrset.ttl, rrset[0].to_text()) for rrset in message.prerequisite] == [
        (0, "192.0.2.1"),
        (0, "192.0.2.2"),
    ]
    delete, add = message.update
    assert (delete.deleting, len(delete)) == (255, 0)
    assert (add.ttl, add[0].to_text()) == (60, "192.0.2.3")


def test_the_endpoint_names_its_servers():
    endpoint = DnsEndpoint(
        name="dns-main",
        type="dns",
        site="lyon",
        server="198.51.100.53",
        secondaries=("203.0.113.53", "203.0.113.54:5353", "[2001:db8::53]:53"),
        tsig={"name": "drctl.", "secret": {"env": "TSIG"}},
    )
    assert [str(server) for server in endpoint.servers()] == [
        "198.51.100.53:53",
        "203.0.113.53:53",
        "203.0.113.54:5353",
        "[2001:db8::53]:53",
    ]
    assert endpoint.tsig.secret == Secret("env", "TSIG")
    with pytest.raises(ValidationError, match="no address"):
        DnsEndpoint.model_validate({**endpoint.model_dump(), "tsig": endpoint.tsig, "secondaries": ["a:b"]})


def test_connecting_sends_nothing():
    endpoint = DnsEndpoint(
        name="d", type="dns", site="s", server="127.0.0.1", port=1, tsig={"name": "k", "secret": {"env": "X"}}
    )
    with PROVIDER.connect(endpoint, Access.READ) as client:
        assert [str(server) for server in client.servers] == ["127.0.0.1:1"]
    with pytest.raises(TypeError), PROVIDER.connect(None, Access.READ):
        pass
