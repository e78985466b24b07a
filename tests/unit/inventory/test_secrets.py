from __future__ import annotations

import http.server
import json
import os
import threading
from pathlib import Path

import pytest

from drctl.core.problem import DrctlError, Problem
from drctl.inventory.secrets import SecretStore


def problem(store: SecretStore, kind: str, place: str) -> Problem:
    with pytest.raises(DrctlError) as caught:
        store.resolve(kind, place)
    return caught.value.problems[0]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return path


def test_env():
    assert SecretStore(environ={"A": "battery"}).resolve("env", "A") == "battery"


def test_env_that_is_not_set_or_empty():
    store = SecretStore(environ={"EMPTY": ""})
    assert (
        problem(store, "env", "A").summary
        == "cannot read the secret env:A: the environment variable is not set"
    )
    assert problem(store, "env", "A").hint == "Set it: read -rs A && export A"
    assert "it is empty" in problem(store, "env", "EMPTY").summary


def test_file_loses_its_last_line_end_only(private):
    assert SecretStore(private.parent).resolve("file", "secret") == "correct horse"
    assert SecretStore().resolve("file", str(private)) == "correct horse"


def test_a_file_that_others_can_read_is_refused(private):
    private.chmod(0o640)
    found = problem(SecretStore(private.parent), "file", "secret")
    assert "other users may read it" in found.summary
    assert found.hint == f"chmod 600 {private}"


def test_a_file_in_a_private_directory_is_fine(private):
    private.chmod(0o644)
    private.parent.chmod(0o700)
    assert SecretStore(private.parent).resolve("file", "secret") == "correct horse"


def test_a_file_that_is_not_there(tmp_path):
    assert "no such file" in problem(SecretStore(tmp_path), "file", "gone").summary


def test_a_file_that_is_no_text(private):
    private.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in problem(SecretStore(private.parent), "file", "secret").summary


def test_command_runs_without_a_shell(tmp_path):
    store = SecretStore(tmp_path, environ={"PATH": os.environ["PATH"]})
    assert store.resolve("command", "echo 'a; b' $HOME") == "a; b $HOME"


def test_commands_that_fail(tmp_path):
    store = SecretStore(tmp_path, environ={"PATH": os.environ["PATH"]})
    assert "status 3: gone" in problem(store, "command", "sh -c 'echo gone >&2; exit 3'").summary
    assert "No such file" in problem(store, "command", "/nonexistent/program").summary
    assert "No closing quotation" in problem(store, "command", "echo 'a").summary
    assert "it is empty" in problem(store, "command", "true").summary


def test_a_value_is_looked_up_once(tmp_path):
    store = SecretStore(tmp_path, environ={"PATH": os.environ["PATH"]})
    command = "sh -c 'echo x >> asked; echo valuable'"
    assert store.resolve("command", command) == store.resolve("command", command) == "valuable"
    assert (tmp_path / "asked").read_text() == "x\n"


def test_what_was_given_out_is_masked():
    store = SecretStore(environ={"A": "battery staple"})
    store.resolve("env", "A")
    assert store.redactor.text("user:battery staple@host") == "user:•••@host"


def test_the_place_of_a_keyring_entry_has_two_parts():
    assert "SERVICE/USER" in problem(SecretStore(), "keyring", "drctl").summary


def test_vault_says_what_it_misses():
    store = SecretStore(environ={"VAULT_ADDR": "http://127.0.0.1:1"})
    assert "PATH#FIELD" in problem(store, "vault", "secret/data/x").summary
    assert "VAULT_TOKEN not set" in problem(store, "vault", "secret/data/x#y").summary


class _Vault(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {
            "/v1/secret/data/two": {"data": {"data": {"password": "version two"}}},
            "/v1/kv/one": {"data": {"password": "version one"}},
        }
        allowed = self.headers["X-Vault-Token"] == "token-of-test"
        status = 403 if not allowed else 200 if self.path in known else 404
        body = json.dumps(known[self.path] if status == 200 else {"errors": ["permission denied"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the class above gives it
        pass


@pytest.fixture
def vault():
    pytest.importorskip("hvac", reason="the extra drctl[vault] is not installed")
    with http.server.HTTPServer(("127.0.0.1", 0), _Vault) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_vault_of_both_versions(vault):
    store = SecretStore(environ={"VAULT_ADDR": vault, "VAULT_TOKEN": "token-of-test"})
    assert store.resolve("vault", "secret/data/two#password") == "version two"
    assert store.resolve("vault", "kv/one#password") == "version one"
    assert "no text field 'user'" in problem(store, "vault", "kv/one#user").summary
    assert "there is nothing" in problem(store, "vault", "kv/none#user").summary
    assert store.redactor.text("token-of-test") == "•••"


def test_a_refused_token(vault):
    store = SecretStore(environ={"VAULT_ADDR": vault, "VAULT_TOKEN": "another"})
    assert "permission denied" in problem(store, "vault", "kv/one#password").summary


@pytest.fixture
def wallet():
    keyring = pytest.importorskip("keyring", reason="the extra drctl[keyring] is not installed")

    class Wallet(keyring.backend.KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if service == "locked":
                raise keyring.errors.KeyringLocked("it is locked")
            return "from the wallet" if (service, username) == ("dr/arrays", "drctl") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(Wallet())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("wallet")
def test_keyring():
    store = SecretStore()
    assert store.resolve("keyring", "dr/arrays/drctl") == "from the wallet"
    missing = problem(store, "keyring", "dr/arrays/other")
    assert (missing.summary, missing.hint) == (
        "cannot read the secret keyring:dr/arrays/other: there is no such entry",
        "keyring set dr/arrays other",
    )
    assert "it is locked" in problem(store, "keyring", "locked/x").summary
