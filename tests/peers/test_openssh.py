"""The ssh provider against OpenSSH."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from drctl.core.probe import Level
from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.core.secret import Secret
from drctl.providers.ssh import PROVIDER
from drctl.providers.ssh.actions import PutFile, RunCommand
from drctl.providers.ssh.client import SshClient
from drctl.providers.ssh.login import log_in
from drctl.providers.ssh.model import LIMIT
from drctl.providers.ssh.probes import Access as SshAccess


@contextlib.contextmanager
def opened(sshd, access=Access.WRITE, **changes):
    with PROVIDER.connect(sshd.endpoint(**changes), access) as client:
        yield client


def run(*command, **fields):
    return RunCommand.model_validate({"command": command, **fields})


def apply(action, client, control):
    change = action.diff(action.read(client))
    assert change is not None
    action.apply(client, change, control)
    return change


# --- commands ---------------------------------------------------------------------------------


def test_a_guarded_command_runs_once(sshd, control, tmp_path):
    flag = tmp_path / "flag's name; $(touch oops)"
    action = run("touch", str(flag), unless=["test", "-e", str(flag)])
    with opened(sshd) as client:
        apply(action, client, control)
        assert action.diff(action.read(client)) is None
    assert flag.exists()
    assert control.said == ["exit 0: no output"]
    assert action.is_convergent()


def test_a_command_without_guard_is_never_seen_to_be_done(sshd, control):
    with pytest.raises(ValidationError, match="convergent: false"):
        run("true")
    action = run("echo", "hello", convergent=False)
    with opened(sshd) as client:
        apply(action, client, control)
        assert action.diff(action.read(client)) is not None
    assert control.said == ["exit 0: hello"]
    assert not action.is_convergent()


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["sh", "-c", "echo it broke >&2; exit 3"], "ssh-command-failed", "exit 3"),
        (["no-such-program"], "ssh-command-failed", "exit 127"),
    ],
)
def test_a_failing_command_says_so(sshd, control, command, code, text):
    with opened(sshd) as client, pytest.raises(ProviderError) as failed:
        apply(run(*command, convergent=False), client, control)
    assert failed.value.problem.code == code
    assert text in failed.value.problem.summary
    assert not failed.value.effect_unknown
    assert failed.value.problem.detail


def test_a_guard_that_cannot_run_is_no_answer(sshd):
    with opened(sshd) as client, pytest.raises(ProviderError) as failed:
        run("true", unless=["no-such-program"]).read(client)
    assert failed.value.problem.code == "ssh-guard-failed"


def test_a_command_out_of_time_is_killed_on_the_host(sshd, control, tmp_path, wait_until):
    pid = tmp_path / "pid"
    stubborn = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.1; done"
    action = run("sh", "-c", stubborn, convergent=False, timeout=0.5)
    with opened(sshd) as client, pytest.raises(ProviderError) as failed:
        apply(action, client, control)
    assert failed.value.problem.code == "ssh-timeout"
    assert failed.value.effect_unknown
    wait_until(lambda: not alive(pid), "the end of the remote command")


def alive(pid_file):
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
        return True
    return False


def test_a_guard_out_of_time_changed_nothing(sshd):
    with opened(sshd) as client, pytest.raises(ProviderError) as failed:
        run("true", unless=["sleep", "60"], timeout=0.2).read(client)
    assert failed.value.problem.code == "ssh-timeout"
    assert not failed.value.effect_unknown


def test_endless_output_is_bounded(sshd):
    with opened(sshd) as client:
        result = client.guard(["sh", "-c", "yes | head -c 5000000"], 30)
    assert (len(result.output), result.truncated) == (LIMIT, True)


def test_something_in_the_background_does_not_hold_the_step(sshd):
    started = time.monotonic()
    with opened(sshd) as client:
        result = client.guard(["sh", "-c", "sleep 30 & echo started"], 60)
    assert result.output == "started\n"
    assert time.monotonic() - started < 20


def test_a_command_that_reads_input_gets_none(sshd):
    with opened(sshd) as client:
        assert client.guard(["cat"], 10).output == ""


HANG_UP = """
p=$PPID
until case $(cat /proc/$p/comm) in sshd*) true;; *) false;; esac; do
  p=$(awk '/^PPid/ {print $2}' /proc/$p/status)
done
"""
"""Sets ``p`` to the process that holds the connection this runs on."""


def test_a_lost_answer_leaves_the_effect_unknown(sshd, control, tmp_path):
    done = tmp_path / "done"
    action = run("sh", "-c", f"{HANG_UP} touch {done}; kill -9 $p", unless=["test", "-e", str(done)])
    with opened(sshd) as client:
        with pytest.raises(ProviderError) as lost:
            apply(action, client, control)
        assert lost.value.effect_unknown
        assert lost.value.problem.code == "ssh-answer-lost"
        assert action.diff(action.read(client)) is None


def test_a_server_that_freezes_is_given_up(sshd, tmp_path):
    """paramiko itself waits for ever for the answer to a request."""
    frozen = tmp_path / "frozen"
    client = SshClient(sshd.endpoint(), Access.WRITE, margin=0.2)
    try:
        with pytest.raises(ProviderError) as lost:
            client.execute(["sh", "-c", f"{HANG_UP} echo $p > {frozen}; kill -STOP $p"], 0.2)
        assert (lost.value.problem.code, lost.value.effect_unknown) == ("ssh-answer-lost", True)
        assert client.execute(["echo", "again"], 5).output == "again\n"
    finally:
        os.kill(int(frozen.read_text()), signal.SIGKILL)
        client.close()


def test_twenty_at_once_share_one_login_within_stock_limits(sshd):
    with opened(sshd, concurrency=20) as client, ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda number: client.guard(["echo", str(number)], 30), range(20)))
    assert [result.output for result in results] == [f"{number}\n" for number in range(20)]
    assert sshd.logins() == 1


def test_commands_that_end_at_once_do_not_break_the_connection(sshd):
    """sshd refuses a session while one that both sides have closed still counts; and, more rarely, drops a
    connection on which an end of file comes for a channel that is closed already."""
    with opened(sshd, concurrency=10) as client, ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda _: client.guard(["true"], 30).status, range(200)))
    assert results == [0] * 200
    assert sshd.logins() == 1


def test_a_host_that_allows_fewer_sessions_is_waited_for_and_then_named(make_sshd):
    server = make_sshd("MaxSessions 2")
    with opened(server, concurrency=6) as client, ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: client.guard(["true"], 30).status, range(12)))
    assert results == [0] * 12
    assert server.logins() == 1
    refused = refusal(make_sshd("MaxSessions 0"), connect_timeout=0.3)
    assert (refused.problem.code, refused.transient) == ("ssh-session-refused", True)
    assert "MaxSessions" in refused.problem.hint


def test_a_connection_broken_under_many_is_replaced_by_one(sshd, tmp_path):
    """Those that notice late leave alone the connection that others have opened since."""
    (here := tmp_path / "here").mkdir()
    all_here = f"until [ $(ls {here} | wc -l) = 10 ]; do sleep 0.1; done"

    def run_again(number):
        with pytest.raises(ProviderError) as lost:
            client.guard(["sh", "-c", f"{HANG_UP} touch {here}/{number}; {all_here}; kill -9 $p"], 90)
        return lost.value.problem.code, client.guard(["echo", str(number)], 30).output

    with opened(sshd, concurrency=10) as client, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(run_again, range(10)))
    assert answers == [("ssh-answer-lost", f"{number}\n") for number in range(10)]
    assert sshd.logins() == 2


def test_a_connection_that_died_while_idle_is_replaced(sshd, wait_until):
    with opened(sshd) as client:
        session = client.guard(["sh", "-c", f"{HANG_UP} echo $p"], 10).output
        os.kill(int(session), signal.SIGKILL)
        assert client.guard(["echo", "again"], 10).output == "again\n"
    assert sshd.logins() == 2


def test_a_reader_runs_guards_and_nothing_else(sshd, control, tmp_path):
    flag, file = tmp_path / "flag", tmp_path / "file"
    command = run("touch", str(flag), unless=["test", "-e", str(flag)])
    put = PutFile(path=str(file), content="x")
    with opened(sshd, Access.READ) as client:
        for action in (command, put):
            change = action.diff(action.read(client))
            assert change is not None
            with pytest.raises(ReadOnlyError):
                action.apply(client, change, control)
    assert not flag.exists()
    assert not file.exists()


# --- files ------------------------------------------------------------------------------------


def test_a_file_is_put_whole_and_put_back(sshd, control, tmp_path):
    file = tmp_path / "site"
    file.write_text("paris\n")
    file.chmod(0o600)
    action = PutFile(path=str(file), content="lyon\n")
    with opened(sshd) as client:
        before = action.read(client)
        change = action.diff(before)
        assert change is not None
        action.apply(client, change, control)
        assert (file.read_text(), file.stat().st_mode & 0o7777) == ("lyon\n", 0o644)
        assert action.diff(action.read(client)) is None
        recipe = action.undo(before, change)
        assert recipe is not None
        apply(PutFile.model_validate(dict(recipe.arguments)), client, control)
    assert (file.read_text(), file.stat().st_mode & 0o7777) == ("paris\n", 0o600)
    assert sorted(path.name for path in tmp_path.glob("*site*")) == ["site"]


def test_a_new_file_has_no_undo(sshd, control, tmp_path):
    action = PutFile(path=str(tmp_path / "new"), content="é\n", mode="640")
    with opened(sshd) as client:
        before = action.read(client)
        change = apply(action, client, control)
        assert action.diff(action.read(client)) is None
    assert action.undo(before, change) is None
    assert change.summary.startswith("create ")
    assert (tmp_path / "new").read_bytes() == "é\n".encode()


def test_the_mode_alone(sshd, control, tmp_path):
    file = tmp_path / "f"
    file.write_text("x")
    file.chmod(0o600)
    with opened(sshd) as client:
        change = apply(PutFile(path=str(file), content="x"), client, control)
    assert [(field.name, field.before, field.after) for field in change.fields] == [("mode", "0600", "0644")]


def test_what_a_former_attempt_left_is_replaced(sshd, control, tmp_path):
    file = tmp_path / "f"
    action = PutFile(path=str(file), content="new")
    left = tmp_path / f".f.{hashlib.sha256(control.mark.encode()).hexdigest()[:12]}"
    left.write_text("cut off")
    with opened(sshd) as client:
        apply(action, client, control)
    assert file.read_text() == "new"
    assert not left.exists()


def test_big_and_binary_files_are_seen_and_have_no_undo(sshd, tmp_path):
    big, binary = tmp_path / "big", tmp_path / "binary"
    big.write_bytes(b"x" * (LIMIT + 1))
    binary.write_bytes(b"\xff\xfe")
    with opened(sshd) as client:
        for file in (big, binary):
            action = PutFile(path=str(file), content="text")
            state = action.read(client)
            change = action.diff(state)
            assert change is not None
            assert change.summary.startswith("replace ")
            assert action.undo(state, change) is None


@pytest.mark.parametrize(
    ("path", "code"), [("no/such/file", "ssh-no-directory"), ("folder", "ssh-not-a-file")]
)
def test_where_no_file_can_be(sshd, control, tmp_path, path, code):
    (tmp_path / "folder").mkdir()
    with opened(sshd) as client, pytest.raises(ProviderError) as failed:
        apply(PutFile(path=str(tmp_path / path), content="x"), client, control)
    assert failed.value.problem.code == code


# --- login ------------------------------------------------------------------------------------


def test_small_packets_are_not_held_back(sshd):
    """Without TCP_NODELAY each command waits some 40 ms for an acknowledgement."""
    connection = log_in(sshd.endpoint())
    sock = connection.get_transport().sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()


def refusal(sshd, **changes):
    with opened(sshd, **changes) as client, pytest.raises(ProviderError) as refused:
        client.guard(["true"], 5)
    return refused.value


def test_an_unknown_host_is_refused(sshd):
    sshd.folder.joinpath("known_hosts").write_text("")
    error = refusal(sshd)
    assert error.problem.code == "ssh-host-key-unknown"
    assert "SHA256:" in error.problem.detail
    assert f"ssh-keyscan -p {sshd.port}" in error.problem.hint
    assert sshd.folder.joinpath("known_hosts").read_text() == ""


def test_a_changed_host_key_is_refused(sshd, make_key):
    sshd.know(make_key(sshd.folder / "other_host"))
    error = refusal(sshd)
    assert error.problem.code == "ssh-host-key-changed"
    assert error.problem.detail.count("SHA256:") == 2
    assert "ssh-keygen" in error.problem.hint


def test_a_missing_hosts_file_is_said(sshd):
    assert refusal(sshd, known_hosts=sshd.folder / "nowhere").problem.code == "ssh-known-hosts-missing"


def test_keys(sshd, make_key):
    folder = sshd.folder
    make_key(folder / "stranger")
    assert refusal(sshd, key_file=folder / "stranger").problem.code == "ssh-login-refused"
    assert refusal(sshd, key_file=folder / "nowhere").problem.code == "ssh-key-missing"
    assert refusal(sshd, key_file=folder / "host_key.pub").problem.code == "ssh-key-exposed"
    (folder / "garbage").write_text("no key")
    (folder / "garbage").chmod(0o600)
    assert refusal(sshd, key_file=folder / "garbage").problem.code == "ssh-key-invalid"


def test_an_encrypted_key(sshd, make_key):
    public = make_key(sshd.folder / "locked", "-N", "correct horse")
    (sshd.folder / "authorized_keys").write_text(public.read_text())
    key = sshd.folder / "locked"
    assert refusal(sshd, key_file=key).problem.code == "ssh-key-invalid"
    opener = Secret("env", "KEY", lambda kind, place: "correct horse")
    with opened(sshd, key_file=key, passphrase=opener) as client:
        assert client.guard(["true"], 10).status == 0


def test_a_host_that_is_not_there(sshd):
    sshd.process.terminate()
    sshd.process.wait()
    error = refusal(sshd, connect_timeout=1.0)
    assert (error.problem.code, error.unreachable, error.transient) == ("ssh-unreachable", True, True)


def test_a_host_that_accepts_and_stays_silent(sshd):
    sshd.process.send_signal(signal.SIGSTOP)
    try:
        error = refusal(sshd, connect_timeout=0.5)
    finally:
        sshd.process.send_signal(signal.SIGCONT)
    assert (error.problem.code, error.unreachable) == ("ssh-unreachable", True)


def test_access(sshd, make_key):
    probe = SshAccess()
    with opened(sshd, Access.READ) as client:
        seen = probe.observe(client)
    make_key(sshd.folder / "stranger")
    with opened(sshd, Access.READ, key_file=sshd.folder / "stranger") as client:
        refused = probe.judge(probe.observe(client))
    assert probe.judge(seen).level is Level.OK
    assert abs(seen.values["clock_skew_seconds"]) < 5
    assert refused.level is Level.BLOCKER
    assert "refuses" in refused.summary


def test_a_server_that_is_not_installed_is_said_in_one_line(find_binary):
    with pytest.raises(pytest.fail.Exception) as missing:
        find_binary("no-such-server")
    assert str(missing.value) == "no-such-server is not installed: run `make peers`"
    assert missing.value.pytrace is False
