"""Addresses as inventories write them."""

import pytest

from drctl.core.address import parse_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.53", "192.0.2.53:53"),
        ("192.0.2.53:5353", "192.0.2.53:5353"),
        ("ns.example", "ns.example:53"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ("[2001:db8::53]", "[2001:db8::53]:53"),
    ],
)
def test_addresses(text, shown):
    assert str(parse_address(text, 53)) == shown


@pytest.mark.parametrize("text", ["", ":53", "a:", "a:0", "a:65536", "[::1", "a b"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match="is no address"):
        parse_address(text, 53)
