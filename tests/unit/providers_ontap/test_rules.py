"""Export rules as ONTAP evaluates them: first match decides, then flavour, then superuser."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drctl.providers.ontap.model import Rule
from drctl.providers.ontap.rules import admitted, covers, grant, is_shadowed

HOST = "198.51.100.31"


def rule(index, *clients, ro="sys", rw="sys", superuser="sys", protocols="nfs"):
    return Rule(
        index=index, clients=clients, ro=(ro,), rw=(rw,), superuser=(superuser,), protocols=(protocols,)
    )


@pytest.mark.parametrize(
    ("match", "client", "answer"),
    [
        ("198.51.100.31", HOST, True),
        ("198.51.100.32", HOST, False),
        ("198.51.100.0/24", HOST, True),
        ("198.51.100.0/255.255.255.0", HOST, True),
        ("0.0.0.0/0", HOST, True),
        ("198.51.100.31", "198.51.100.0/24", False),
        ("198.51.100.0/24", "198.51.100.16/28", True),
        ("2001:db8::/32", "2001:db8::31", True),
        ("2001:db8::/32", HOST, False),
        ("0.0.0.0/0", "2001:db8::31", False),
        ("esx1.lyon.teleradio.example", HOST, None),
        (".lyon.teleradio.example", HOST, None),
        ("@esx", HOST, None),
    ],
)
def test_a_match_covers_or_only_the_array_knows(match, client, answer):
    assert covers(match, ip_network(client)) is answer


@pytest.mark.parametrize(
    ("rules", "read", "full", "words"),
    [
        ([], False, False, "no rule admits it"),
        ([rule(1, HOST)], True, True, "rule 1 admits it"),
        ([rule(1, HOST, rw="never")], True, False, "rule 1 lets it read only"),
        ([rule(1, HOST, superuser="none")], True, False, "rule 1 makes its root nobody"),
        ([rule(1, HOST, ro="krb5")], False, False, "rule 1 refuses it"),
        (
            [rule(1, HOST, ro="any", rw="any", superuser="any", protocols="any")],
            True,
            True,
            "rule 1 admits it",
        ),
        ([rule(1, HOST, protocols="cifs")], False, False, "no rule admits it"),
        ([rule(1, HOST, protocols="nfs3")], True, True, "rule 1 admits it"),
        ([rule(2, HOST), rule(1, "0.0.0.0/0", rw="never")], True, False, "rule 1 lets it read only"),
        ([rule(1, "@esx"), rule(2, HOST)], True, True, "rule 2 admits it (unless @esx matches it first)"),
        ([rule(1, "@esx")], False, False, "no rule admits it (unless @esx matches it first)"),
        ([rule(1, "@esx, 198.51.100.31")], True, True, "rule 1 admits it"),
    ],
)
def test_the_first_rule_that_matches_decides(rules, read, full, words):
    given_ = grant(rules, HOST)
    assert (given_.read, given_.full, str(given_)) == (read, full, words)


def test_admitted_names_those_who_get_what_they_need():
    rules = [rule(1, HOST), rule(2, "0.0.0.0/0", rw="never")]
    other = "198.51.100.32"
    assert admitted(rules, [HOST, other]) == [HOST]
    assert admitted(rules, [HOST, other], read_only=True) == [HOST, other]


def test_a_new_rule_must_come_first_where_an_old_one_decides():
    assert is_shadowed([rule(1, "0.0.0.0/0", rw="never")], [HOST])
    assert is_shadowed([rule(1, "@esx")], [HOST])
    assert not is_shadowed([rule(1, "192.0.2.31")], [HOST])


octets = st.integers(0, 255)
rules_ = st.lists(
    st.builds(
        rule,
        st.integers(1, 9),
        st.sampled_from(["0.0.0.0/0", "198.51.100.0/24", HOST, "192.0.2.0/24", "@esx"]),
        ro=st.sampled_from(["sys", "any", "never", "krb5"]),
        rw=st.sampled_from(["sys", "any", "never"]),
        superuser=st.sampled_from(["sys", "any", "none"]),
        protocols=st.sampled_from(["any", "nfs", "cifs"]),
    ),
    max_size=6,
    unique_by=lambda each: each.index,
)


@given(rules_)
def test_a_rule_put_first_always_admits(rules):
    """What the export action relies on when it inserts its rule at index 1."""
    moved = [each.model_copy(update={"index": each.index + 1}) for each in rules]
    assert grant([rule(1, HOST), *moved], HOST).full


@given(rules_)
def test_the_order_of_the_list_does_not_matter_only_the_index(rules):
    assert grant(rules, HOST) == grant(list(reversed(rules)), HOST)
