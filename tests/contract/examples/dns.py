"""Records of the lab's zone."""

from contract import Example

ZONE = "teleradio.example."

EXAMPLES = [
    Example(
        "dns.record.set",
        "dns-main",
        {
            "zone": ZONE,
            "name": "pacs",
            "type": "A",
            "ttl": 60,
            "expect": ["192.0.2.102"],
            "values": ["198.51.100.102"],
        },
    ),
    Example(
        "dns.record.set",
        "dns-main",
        {"zone": ZONE, "name": "status", "type": "TXT", "ttl": 30, "values": ['"moved to the standby"']},
        variant="new",
    ),
]
