"""The name servers, asked by dnspython as anybody's client would ask them."""

from __future__ import annotations

import socket

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import pytest

ZONE = "teleradio.example."
OTHER_KEY = dns.tsigkeyring.from_text({"drctl.": "b3RoZXI="})


def ask(lab, name, rdtype="A", *, at=None, tcp=False, **options):
    query = dns.message.make_query(name, rdtype, **options)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, at or lab.primary, timeout=5, port=lab.dns_port)


def values(answer):
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def new_update(lab, **options):
    keyring = dns.tsigkeyring.from_text({"drctl.": lab.dns.tsig_secret})
    return dns.update.UpdateMessage(ZONE, **{"keyring": keyring, "keyalgorithm": "hmac-sha256", **options})


def send(lab, update, *, at=None, tcp=False):
    talk = dns.query.tcp if tcp else dns.query.udp
    return dns.rcode.to_text(talk(update, at or lab.primary, timeout=5, port=lab.dns_port).rcode())


def move_ris(lab, old="192.0.2.101", new="198.51.100.101"):
    update = new_update(lab)
    update.present("ris", "A", old)
    update.replace("ris", 60, "A", new)
    return update


@pytest.mark.parametrize("tcp", [False, True])
def test_answers_with_authority(lab, tcp):
    answer = ask(lab, "RIS.teleradio.example.", tcp=tcp)
    assert values(answer) == ["192.0.2.101"]
    assert answer.answer[0].ttl == 60
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.RA


def test_resolver_of_a_stock_client(lab):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [lab.primary], lab.dns_port
    assert [rdata.address for rdata in resolver.resolve("www.teleradio.example.", "A")] == ["192.0.2.101"]
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("nobody.teleradio.example.", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("ris.teleradio.example.", "AAAA")


def test_absence_carries_the_soa_and_its_minimum(lab):
    for name, rdtype, code in [
        ("nobody", "A", "NXDOMAIN"),
        ("ris", "MX", "NOERROR"),
        ("below", "A", "NOERROR"),
    ]:
        answer = ask(lab, f"{name}.{ZONE}", rdtype)
        assert dns.rcode.to_text(answer.rcode()) == code
        assert answer.answer == []
        assert [(r.rdtype.name, r.ttl) for r in answer.authority] == [("SOA", 60)]


def test_soa_and_ns_of_the_apex(lab):
    assert ask(lab, ZONE, "SOA").answer[0][0].serial == 7
    assert values(ask(lab, ZONE, "NS")) == [f"ns1.{ZONE}", f"ns2.{ZONE}"]


def test_other_zones_are_refused(lab):
    assert ask(lab, "www.example.net.").rcode() == dns.rcode.REFUSED


def test_a_long_answer_over_udp_is_truncated(lab):
    with lab.world.lock:
        lab.dns.zones[ZONE].records["many", "A"] = (60, [f"192.0.2.{n}" for n in range(1, 120)])
    assert ask(lab, f"many.{ZONE}").flags & dns.flags.TC
    assert len(values(ask(lab, f"many.{ZONE}", tcp=True))) == 119
    assert len(values(ask(lab, f"many.{ZONE}", use_edns=0, payload=4096))) == 119


def test_update_moves_a_record_and_the_secondary_follows(lab):
    assert send(lab, move_ris(lab)) == "NOERROR"
    assert values(ask(lab, f"ris.{ZONE}")) == ["198.51.100.101"]
    assert ask(lab, ZONE, "SOA").answer[0][0].serial == 8
    lab.world.advance(3600)
    there = ask(lab, f"ris.{ZONE}", at=lab.secondary)
    assert values(there) == ["198.51.100.101"]
    assert there.flags & dns.flags.AA
    mutation = lab.world.estate.mutations[-1]
    assert (mutation.site, mutation.facade, mutation.call) == ("lyon", "dns", "UPDATE")
    assert mutation.target == f"ris.{ZONE}/A"


def test_secondary_answers_the_old_value_until_it_has_transferred(lab):
    lab.world.faults.add(f"dns-stale-secondary:{lab.dns.secondaries[0]}")
    assert send(lab, move_ris(lab)) == "NOERROR"
    lab.world.advance(3600)
    assert values(ask(lab, f"ris.{ZONE}", at=lab.secondary)) == ["192.0.2.101"]
    lab.world.faults.lift("dns-stale-secondary")
    lab.world.advance(3600)
    assert values(ask(lab, f"ris.{ZONE}", at=lab.secondary)) == ["198.51.100.101"]


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (lambda u: u.present("ris"), "NOERROR"),
        (lambda u: u.present("ris", "A"), "NOERROR"),
        (lambda u: u.present("ris", "A", "192.0.2.101"), "NOERROR"),
        (lambda u: u.present("pool", "A", "192.0.2.2", "192.0.2.1"), "NOERROR"),
        (lambda u: u.absent("nobody"), "NOERROR"),
        (lambda u: u.absent("ris", "AAAA"), "NOERROR"),
        (lambda u: u.present("nobody"), "NXDOMAIN"),
        (lambda u: u.present("ris", "AAAA"), "NXRRSET"),
        (lambda u: u.present("ris", "A", "192.0.2.102"), "NXRRSET"),
        (lambda u: u.present("pool", "A", "192.0.2.1"), "NXRRSET"),
        (lambda u: u.absent("ris"), "YXDOMAIN"),
        (lambda u: u.absent("ris", "A"), "YXRRSET"),
        (lambda u: u.present("elsewhere.example.net."), "NOTZONE"),
    ],
)
def test_prerequisites(lab, wish, code):
    update = new_update(lab)
    wish(update)
    update.add("new", 60, "A", "192.0.2.9")
    assert send(lab, update) == code
    assert values(ask(lab, f"new.{ZONE}")) == (["192.0.2.9"] if code == "NOERROR" else [])


def test_one_message_is_all_or_nothing(lab):
    update = new_update(lab)
    update.present("ris", "A", "192.0.2.101")
    update.present("pool", "A", "192.0.2.1")  # no longer the whole RRset
    update.replace("ris", 60, "A", "198.51.100.101")
    assert send(lab, update) == "NXRRSET"
    assert values(ask(lab, f"ris.{ZONE}")) == ["192.0.2.101"]
    assert ask(lab, ZONE, "SOA").answer[0][0].serial == 7

    update = new_update(lab)
    update.replace("ris", 60, "A", "198.51.100.101")
    update.add("elsewhere.example.net.", 60, "A", "192.0.2.1")
    assert send(lab, update) == "NOTZONE"
    assert values(ask(lab, f"ris.{ZONE}")) == ["192.0.2.101"]


def test_several_changes_take_one_serial(lab):
    update = new_update(lab)
    update.replace("ris", 120, "A", "198.51.100.101")
    update.delete("pool", "A", "192.0.2.1")
    update.delete("www")
    update.add("txt", 60, "TXT", '"two words"')
    assert send(lab, update, tcp=True) == "NOERROR"
    assert ask(lab, f"ris.{ZONE}").answer[0].ttl == 120
    assert values(ask(lab, f"pool.{ZONE}")) == ["192.0.2.2"]
    assert ask(lab, f"www.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert values(ask(lab, f"txt.{ZONE}", "TXT")) == ['"two words"']
    assert ask(lab, ZONE, "SOA").answer[0][0].serial == 8


def test_a_change_of_nothing_takes_no_serial(lab):
    update = new_update(lab)
    update.replace("ris", 60, "A", "192.0.2.101")
    assert send(lab, update) == "NOERROR"
    assert ask(lab, ZONE, "SOA").answer[0][0].serial == 7


def test_apex_keeps_its_soa_and_ns_and_an_alias_stays_alone(lab):
    update = new_update(lab)
    update.delete("@")
    update.add("www", 60, "A", "192.0.2.5")
    update.add("ris", 60, "CNAME", "pool")
    assert send(lab, update) == "NOERROR"
    assert values(ask(lab, ZONE, "NS")) == [f"ns1.{ZONE}", f"ns2.{ZONE}"]
    assert ask(lab, f"www.{ZONE}").answer[0].rdtype.name == "CNAME"
    assert values(ask(lab, f"ris.{ZONE}")) == ["192.0.2.101"]


def test_without_the_key_nothing_changes_and_nothing_is_transferred(lab):
    unsigned = new_update(lab, keyring=None)
    unsigned.replace("ris", 60, "A", "198.51.100.101")
    assert send(lab, unsigned) == "REFUSED"
    forged = new_update(lab, keyring=OTHER_KEY)
    forged.replace("ris", 60, "A", "198.51.100.101")
    with pytest.raises(dns.tsig.PeerBadSignature):
        send(lab, forged)
    stranger = new_update(lab, keyring=dns.tsigkeyring.from_text({"other.": "b3RoZXI="}))
    stranger.replace("ris", 60, "A", "198.51.100.101")
    with pytest.raises(dns.tsig.PeerBadKey):
        send(lab, stranger)
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        dns.query.inbound_xfr(lab.primary, dns.zone.Zone(ZONE), port=lab.dns_port, timeout=5)
    assert lab.world.estate.mutations == []
    assert values(ask(lab, f"ris.{ZONE}")) == ["192.0.2.101"]


@pytest.mark.parametrize("server", ["primary", "secondary"])
def test_zone_transfer_with_the_key(lab, server):
    keyring = dns.tsigkeyring.from_text({"drctl.": lab.dns.tsig_secret})
    zone = dns.zone.Zone(ZONE)
    query, _ = dns.xfr.make_query(zone, keyring=keyring, keyalgorithm="hmac-sha256")
    dns.query.inbound_xfr(getattr(lab, server), zone, query, port=lab.dns_port, timeout=5)
    assert sorted(rdata.address for rdata in zone.find_rdataset("pool", "A")) == ["192.0.2.1", "192.0.2.2"]
    assert {name.to_text() for name in zone} == {"@", "ris", "pool", "www", "deep.below"}


def test_secondary_takes_no_update(lab):
    assert send(lab, move_ris(lab), at=lab.secondary) == "REFUSED"
    assert lab.world.estate.mutations == []


def test_fault_dns_refused_is_recorded_and_changes_nothing(lab):
    lab.world.faults.add("dns-refused:dns-main:once")
    assert send(lab, move_ris(lab)) == "REFUSED"
    assert len(lab.world.estate.mutations) == 1
    assert send(lab, move_ris(lab)) == "NOERROR"


def test_fault_tsig_bad_key(lab):
    lab.world.faults.add("tsig-bad-key:dns-main")
    with pytest.raises(dns.tsig.PeerBadSignature):
        send(lab, move_ris(lab))
    lab.world.faults.lift("tsig-bad-key")
    assert send(lab, move_ris(lab)) == "NOERROR"


def test_fault_reply_lost_comes_after_the_effect(lab):
    lab.world.faults.add("reply-lost:dns-main:once")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(move_ris(lab), lab.primary, timeout=0.5, port=lab.dns_port)
    assert values(ask(lab, f"ris.{ZONE}")) == ["198.51.100.101"]


def test_garbage_is_answered_with_formerr_or_silence(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(b"\x12\x34\x00\x00\x00\x05" + bytes(6), (lab.primary, lab.dns_port))
        answer = dns.message.from_wire(sock.recv(512))
        assert (answer.id, answer.rcode()) == (0x1234, dns.rcode.FORMERR)
    assert values(ask(lab, f"ris.{ZONE}")) == ["192.0.2.101"]


def test_a_dead_site_is_silent(lab):
    with lab.world.lock:
        lab.world.site("lyon").alive = False
        lab.world.touch()
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(dns.message.make_query(f"ris.{ZONE}", "A"), lab.primary, timeout=0.5, port=lab.dns_port)
    assert values(ask(lab, f"ris.{ZONE}", at=lab.secondary)) == ["192.0.2.101"]
