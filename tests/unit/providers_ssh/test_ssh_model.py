"""What ``ssh.run`` and ``ssh.put`` may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drctl.core.action import ObjectRef
from drctl.core.provider import Access
from drctl.providers.ssh import PROVIDER
from drctl.providers.ssh.actions import PutFile, RunCommand
from drctl.providers.ssh.model import SshEndpoint


@pytest.mark.parametrize(
    ("fields", "convergent"),
    [
        ({"unless": ["test"]}, True),
        ({"unless": ["test"], "convergent": False}, False),
        ({"convergent": False}, False),
        ({}, None),
        ({"convergent": True}, None),
        ({"unless": [], "convergent": False}, None),
    ],
)
def test_a_command_is_guarded_or_declared_not_convergent(fields, convergent):
    def build():
        return RunCommand.model_validate({"command": ["reload"], **fields})

    if convergent is None:
        with pytest.raises(ValidationError):
            build()
    else:
        assert build().is_convergent() is convergent


def test_a_command_is_named_as_it_would_be_typed():
    action = RunCommand.model_validate(
        {"command": ["setspn", "-S", "a b"], "convergent": False, "timeout": "5m"}
    )
    assert action.touches() == frozenset({ObjectRef("command", "setspn -S 'a b'")})
    assert action.timeout == 300


@pytest.mark.parametrize("fields", [{"path": "etc/x"}, {"path": "/etc/"}, {"mode": "0999"}, {"mode": "4755"}])
def test_what_a_file_may_not_be(fields):
    with pytest.raises(ValidationError):
        PutFile.model_validate({"path": "/etc/x", "content": "", **fields})


def test_a_file_foresees_its_outputs():
    action = PutFile(path="/etc/x", content="")
    assert action.foresee()["sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert action.foresee().keys() == action.output_names


def test_connecting_opens_nothing(tmp_path):
    endpoint = SshEndpoint(
        name="e",
        type="ssh",
        site="s",
        host="127.0.0.1",
        port=1,
        username="u",
        key_file=tmp_path / "none",
        known_hosts=tmp_path / "none",
    )
    assert endpoint.limit == 4
    with PROVIDER.connect(endpoint, Access.READ):
        pass
    with pytest.raises(TypeError), PROVIDER.connect(None, Access.READ):
        pass
