"""The machines, reached by paramiko's client with the lab's key and known_hosts."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest

from drctl.lab.pki import Pki


@pytest.fixture
def connect(lab):
    lab.pki.write_known_hosts((m.endpoint, m.address, lab.ssh_port) for m in (lab.edge, lab.directory))
    opened = []

    def open_one(machine, key=None):
        client = paramiko.SSHClient()
        opened.append(client)
        client.load_host_keys(str(lab.pki.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            machine.address,
            lab.ssh_port,
            "drctl",
            key_filename=str(key or lab.pki.client_key),
            look_for_keys=False,
            allow_agent=False,
            timeout=10,
        )
        return client

    yield open_one
    for client in opened:
        client.close()


def run(client, line, stdin=None, timeout=10):
    to, out, err = client.exec_command(line, timeout=timeout)
    if stdin is not None:
        to.write(stdin)
    to.channel.shutdown_write()
    return out.channel.recv_exit_status(), out.read().decode(), err.read().decode()


def calls(lab):
    return [(m.call, m.target) for m in lab.world.estate.mutations]


def test_reads_leave_no_trace(lab, connect):
    client = connect(lab.edge)
    assert run(client, "true") == (0, "", "")
    assert run(client, "timeout -k 5 300 cat /etc/edge/active-site") == (0, "paris\n", "")
    assert run(client, "edge-ctl serves paris")[0] == 0
    assert run(client, "edge-ctl serves lyon")[0] == 1
    assert run(client, "test -f /etc/edge/active-site && echo yes || echo no")[1] == "yes\n"
    assert run(client, "id -un")[1] == "drctl\n"
    assert abs(int(run(client, "date +%s")[1]) - time.time()) < 5
    assert (
        run(client, "sha256sum /etc/edge/active-site")[1].split()[0] == hashlib.sha256(b"paris\n").hexdigest()
    )
    assert run(client, "stat -c %a /etc/edge/active-site")[1] == "644\n"
    assert calls(lab) == []


def test_unknown_commands_and_syntax_fail_as_in_a_shell(lab, connect):
    client = connect(lab.edge)
    assert run(client, "setspn -Q cifs/NAS-PACS") == (127, "", "sh: setspn: command not found\n")
    assert run(client, "echo $HOME")[0] == 2
    assert run(client, "echo 'unbalanced")[0] == 2
    assert run(client, "true &&")[0] == 2
    assert run(client, "sh -c 'false; echo \"a  b\" | cat'")[:2] == (0, "a  b\n")
    assert run(client, "echo ';' '>' x")[1] == "; > x\n"
    assert run(client, "cat /nowhere 2>/dev/null")[2] == ""
    assert run(client, "cat /nowhere 2>&1")[1] == "cat: /nowhere: No such file or directory\n"
    assert calls(lab) == []


def test_edge_serves_another_site_after_a_reload(lab, connect):
    client = connect(lab.edge)
    assert run(client, "cat > /etc/edge/active-site", "lyon\n")[0] == 0
    assert run(client, "edge-ctl serves lyon")[0] == 1
    assert run(client, "timeout -k 5 300 systemctl reload edge")[0] == 0
    assert run(client, "edge-ctl serves lyon")[0] == 0
    assert calls(lab) == [
        ("write", "edge-lyon:/etc/edge/active-site"),
        ("systemctl reload", "edge-lyon:edge"),
    ]
    assert run(client, "systemctl reload nginx")[0] == 5


def test_directory_moves_a_service_principal_name(lab, connect):
    client = connect(lab.directory)
    assert run(client, "setspn -C cifs/NAS-PACS CIFS-LYON")[0] == 1
    assert run(client, "setspn -C cifs/NAS-PACS 'TELERADIO\\CIFS-PARIS$'")[0] == 0
    assert calls(lab) == []
    assert run(client, "setspn -S cifs/NAS-PACS CIFS-LYON")[0] == 0
    assert run(client, "setspn -C cifs/NAS-PACS CIFS-LYON")[0] == 0
    assert run(client, "setspn -C cifs/NAS-PACS CIFS-PARIS")[0] == 1
    assert "CIFS-LYON" in run(client, "setspn -Q cifs/nas-pacs")[1]
    assert run(client, "setspn -L CIFS-LYON")[1] == "cifs/nas-pacs\n"
    assert run(client, "setspn -D cifs/NAS-PACS CIFS-PARIS")[0] == 1
    assert run(client, "setspn -D cifs/NAS-PACS CIFS-LYON")[0] == 0
    assert run(client, "setspn -Q cifs/nas-pacs")[0] == 1
    assert [call for call, _ in calls(lab)] == ["setspn -S", "setspn -D", "setspn -D"]


def test_files_by_command(lab, connect):
    client = connect(lab.edge)
    for line in [
        "mkdir -p /srv/a/b",
        "echo one > /srv/a/b/x",
        "echo two >> /srv/a/b/x",
        "cp /srv/a/b/x /srv/a",
        "mv /srv/a/x /srv/a/y",
        "chmod 600 /srv/a/y",
        "rm /srv/a/b/x",
    ]:
        assert run(client, line)[0] == 0, line
    assert run(client, "cat /srv/a/y")[1] == "one\ntwo\n"
    assert run(client, "stat -c %a /srv/a/y")[1] == "600\n"
    assert run(client, "ls /srv/a")[1] == "b\ny\n"
    assert run(client, "tee /srv/a/z", "three")[1] == "three"
    assert run(client, "install -D -m 0640 /srv/a/z /opt/new/z")[0] == 0
    assert run(client, "stat -c %a /opt/new/z")[1] == "640\n"
    assert run(client, "echo x > /no/such/folder")[0] == 1
    assert run(client, "mv /nowhere /srv")[0] == 1


def test_sftp_writes_beside_and_renames_over(lab, connect):
    with connect(lab.edge).open_sftp() as sftp:
        with sftp.open("/etc/edge/.active-site.new", "wbx") as file:
            file.chmod(0o640)
            file.write(b"lyon\n")
        with pytest.raises(OSError, match="Failure"):
            sftp.rename("/etc/edge/.active-site.new", "/etc/edge/active-site")
        sftp.posix_rename("/etc/edge/.active-site.new", "/etc/edge/active-site")
        found = sftp.stat("/etc/edge/active-site")
        assert (found.st_mode & 0o7777, found.st_size) == (0o640, 5)
        with sftp.open("/etc/edge/active-site", "rb") as file:
            assert file.read() == b"lyon\n"
        assert sftp.listdir("/etc/edge") == ["active-site"]
        with pytest.raises(FileNotFoundError):
            sftp.stat("/etc/edge/.active-site.new")
        with pytest.raises(FileNotFoundError):
            sftp.open("/no/such/folder/file", "wb")
    assert lab.edge.files["/etc/edge/active-site"] == "lyon\n"
    assert calls(lab)[0] == ("sftp write", "edge-lyon:/etc/edge/.active-site.new")
    assert ("sftp rename", "edge-lyon:/etc/edge/active-site") in calls(lab)


def test_sftp_reading_leaves_no_trace(lab, connect):
    with connect(lab.edge).open_sftp() as sftp:
        sftp.listdir_attr("/etc")
        sftp.open("/etc/edge/active-site").read()
    assert calls(lab) == []


def test_sftp_keeps_bytes_that_are_no_text(lab, connect):
    content = bytes(range(256)) * 300
    with connect(lab.edge).open_sftp() as sftp:
        with sftp.open("/tmp/blob", "wb") as file:
            file.write(content)
        with sftp.open("/tmp/blob", "ab") as file:
            file.write(b"end")
        assert sftp.open("/tmp/blob", "rb").read() == content + b"end"
        sftp.truncate("/tmp/blob", 10)
        assert sftp.stat("/tmp/blob").st_size == 10
        sftp.mkdir("/tmp/folder")
        sftp.rmdir("/tmp/folder")
        sftp.remove("/tmp/blob")
        assert sftp.listdir("/tmp") == []


def test_only_the_labs_key_opens(lab, connect, tmp_path):
    with pytest.raises(paramiko.AuthenticationException):
        connect(lab.edge, Pki(tmp_path / "stranger").client_key)
    lab.world.faults.add("auth-expired:edge-lyon:once")
    with pytest.raises(paramiko.AuthenticationException):
        connect(lab.edge)
    assert run(connect(lab.edge), "true")[0] == 0


def test_fault_host_key_changed(lab, connect):
    lab.world.faults.add("ssh-host-key-changed:edge-lyon")
    with pytest.raises(paramiko.BadHostKeyException):
        connect(lab.edge)
    assert run(connect(lab.directory), "true")[0] == 0
    lab.world.faults.lift("ssh-host-key-changed")
    assert run(connect(lab.edge), "true")[0] == 0


def test_fault_hang_until_lifted(lab, connect):
    client = connect(lab.edge)
    lab.world.faults.add("ssh-hang:edge-lyon")
    with pytest.raises(TimeoutError):
        run_until(client, "systemctl reload edge", 0.3)
    assert calls(lab) == []
    lab.world.faults.lift("ssh-hang")
    assert run(client, "systemctl reload edge")[0] == 0


def run_until(client, line, seconds):
    _, out, _ = client.exec_command(line, timeout=seconds)
    return out.read()


def test_a_hung_command_under_timeout_is_killed(lab, connect):
    lab.world.faults.add("ssh-hang:edge-lyon")
    client = connect(lab.edge)
    assert run(client, "timeout -k 5 300 systemctl reload edge")[0] == 124  # half a second at this speed
    assert calls(lab) == []


def test_fault_reply_lost_comes_after_the_effect(lab, connect):
    lab.world.faults.add("reply-lost:dc-lyon:once")
    client = connect(lab.directory)
    assert run(client, "setspn -Q cifs/nas-pacs")[0] == 0
    with contextlib.suppress(
        EOFError
    ):  # seen instead, when the cut comes before the client's own end of file
        assert run(client, "setspn -S cifs/NAS-PACS CIFS-LYON")[0] == -1
    assert run(connect(lab.directory), "setspn -C cifs/NAS-PACS CIFS-LYON")[0] == 0


def test_many_sessions_at_once_on_one_connection(lab, connect):
    client = connect(lab.edge)
    channels = [client.exec_command("echo hello")[1] for _ in range(20)]
    assert [out.read() for out in channels] == [b"hello\n"] * 20


def test_a_partition_delays_and_loses_nothing(lab, connect):
    client = connect(lab.edge)
    cut_off(lab, away=True)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(run, client, "echo still here", timeout=20)
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.5)
        cut_off(lab, away=False)
        assert asked.result(timeout=10) == (0, "still here\n", "")


def cut_off(lab, *, away):
    with lab.world.lock:
        lab.world.site("lyon").partitioned_from = {"*"} if away else set()
        lab.world.touch()


def openssh(lab, program, *arguments, stdin=""):
    """OpenSSH's own client, with nothing but the lab's key and host keys."""
    options = [
        *("-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "User=drctl"),
        *("-o", f"UserKnownHostsFile={lab.pki.known_hosts}", "-o", f"IdentityFile={lab.pki.client_key}"),
        *("-o", "IdentitiesOnly=yes", "-o", f"Port={lab.ssh_port}"),
    ]
    return subprocess.run(
        [program, *options, *arguments], input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


def test_opensshs_own_clients(lab, tmp_path):
    lab.pki.write_known_hosts([(lab.edge.endpoint, lab.edge.address, lab.ssh_port)])
    wrote = openssh(lab, "ssh", lab.edge.address, "cat > /etc/edge/active-site", stdin="lyon\n")
    assert wrote.returncode == 0, wrote.stderr
    asked = openssh(
        lab, "ssh", lab.edge.address, "systemctl reload edge && edge-ctl status; edge-ctl serves paris"
    )
    assert (asked.returncode, asked.stdout) == (1, "serving lyon\n"), asked.stderr
    copy = tmp_path / "copy"
    batch = f"get /etc/edge/active-site {copy}\nchmod 600 /etc/edge/active-site\nls -l /etc/edge\n"
    listed = openssh(lab, "sftp", "-q", "-b", "-", lab.edge.address, stdin=batch)
    assert listed.returncode == 0, listed.stderr
    assert copy.read_text() == "lyon\n"
    assert lab.edge.modes["/etc/edge/active-site"] == 0o600
    lab.world.faults.add("ssh-host-key-changed:edge-lyon")
    refused = openssh(lab, "ssh", lab.edge.address, "true")
    assert refused.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr
