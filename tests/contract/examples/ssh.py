"""The reverse proxy and the directory controller of the lab's standby site."""

from contract import Example

EXAMPLES = [
    Example("ssh.put", "edge-lyon", {"path": "/etc/edge/active-site", "content": "lyon\n"}),
    Example(
        "ssh.run",
        "edge-lyon",
        {"command": ["systemctl", "reload", "edge"], "unless": ["edge-ctl", "serves", "lyon"]},
        after=(Example("ssh.put", "edge-lyon", {"path": "/etc/edge/active-site", "content": "lyon\n"}),),
        undone=False,
    ),
    Example(
        "ssh.run",
        "edge-lyon",
        {"command": ["systemctl", "reload", "edge"], "convergent": False},
        undone=False,
        settles=False,
        variant="opaque",
    ),
]
