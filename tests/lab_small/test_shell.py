"""The machines' shell, without the network."""

from __future__ import annotations

import pytest

from drctl.lab.commands import commands_of
from drctl.lab.model import Estate, Machine, Site
from drctl.lab.shell import Shell
from drctl.lab.world import World


@pytest.fixture
def shell():
    world = World(Estate(sites={"lyon": Site("lyon", "Lyon")}))
    machine = Machine("edge-lyon", "lyon", "edge", "127.0.0.1", {"/etc/hosts": "localhost\n"})
    yield Shell(world, machine, commands_of("edge"))
    world.stop()


@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        ("", 0, ""),
        ("echo one; echo two", 0, "one\ntwo\n"),
        ("echo one\necho two;", 0, "one\ntwo\n"),
        ("false && echo no || echo yes", 0, "yes\n"),
        ("true || echo no", 0, ""),
        ("false; true", 0, ""),
        ("echo a | cat | sha256sum > /tmp/sum && test -s /tmp/sum", 0, ""),
        ("cat < /etc/hosts", 0, "localhost\n"),
        ("cat - < /etc/hosts", 0, "localhost\n"),
        ("cat < /nowhere", 1, ""),
        ("cat </dev/null; echo done", 0, "done\n"),
        ("echo given | cat </dev/null", 0, ""),
        ("> /tmp/empty; test -f /tmp/empty && stat -c %s /tmp/empty", 0, "0\n"),
        ("echo x > /dev/null", 0, ""),
        ('echo a\\ b \'c d\' "e \\"f\\"" g\'h\'"i"', 0, 'a b c d e "f" ghi\n'),
        ("printf 'a\\nb\\n'", 0, "a\nb\n"),
        ("printf %s one", 0, "one"),
        ("printf %d 1", 2, ""),
        ("id", 0, "uid=1000(drctl) gid=1000(drctl) groups=1000(drctl)\n"),
        ("hostname", 0, "edge-lyon\n"),
        ("env LANG=C echo x", 0, "x\n"),
        ("env LANG=C", 0, ""),
        ("sudo -n echo x", 0, "x\n"),
        ("sudo -n", 1, ""),
        ("timeout --kill-after 5 9 echo x", 0, "x\n"),
        ("timeout 9", 125, ""),
        ("sh script", 2, ""),
        ("/bin/sh -c 'exit'", 127, ""),
        ("sha256sum /nowhere", 1, ""),
        (
            "sha256sum /etc/hosts | cat",
            0,
            "d906aecb61d076a967d9ffe8821c7b04b063f72df9d9e35b33ef36b1c0d98f16  /etc/hosts\n",
        ),
        ("stat /etc/hosts", 2, ""),
        ("stat -c %a /nowhere", 1, ""),
        ("stat -c %a /etc", 0, "755\n"),
        ("ls /nowhere", 1, ""),
        ("ls /etc/hosts", 0, "/etc/hosts\n"),
        ("[ -d /etc ] && [ ! -e /nowhere ] && [ a = a ] && [ a != b ] && [ -n x ] && [ -z '' ]", 0, ""),
        ("test -d /etc/hosts", 1, ""),
        ("test -f", 2, ""),
        ("tee /no/folder/x", 1, ""),
        ("mkdir /no/folder", 1, ""),
        ("mkdir /etc", 1, ""),
        ("mkdir -p /etc", 0, ""),
        ("chmod 600 /nowhere", 1, ""),
        ("chmod u+x /etc/hosts", 2, ""),
        ("cp /nowhere /tmp", 1, ""),
        ("cp a b c", 2, ""),
        ("mv a", 2, ""),
        ("rm /nowhere", 1, ""),
        ("rm -f /nowhere", 0, ""),
        ("rm /etc", 1, ""),
        ("install /nowhere /tmp/x", 1, ""),
        ("install a", 2, ""),
        ("echo x | install -m 600 /dev/stdin /tmp/x && stat -c %a /tmp/x && cat /tmp/x", 0, "600\nx\n"),
        ("systemctl is-active edge", 0, "active\n"),
        ("systemctl reload edge", 1, ""),
        ("systemctl", 2, ""),
        ("edge-ctl", 2, ""),
        ("edge-ctl status", 0, "serving nothing\n"),
        ("| cat", 2, ""),
        ("echo x >", 2, ""),
        ("echo x > > y", 2, ""),
        ("sleep 1 & echo x", 2, ""),
        ("echo $(id)", 2, ""),
        ("echo *", 2, ""),
        ('echo "$HOME"', 2, ""),
        ("echo '$HOME' '*'", 0, "$HOME *\n"),
    ],
)
def test_lines(shell, line, status, out):
    result = shell.run(line)
    assert (result.status, result.out.decode()) == (status, out), result.err.decode()
    assert result.err or status != 2  # what this shell cannot do, it says
