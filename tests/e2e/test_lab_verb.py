"""``drctl lab`` as a newcomer uses it: in the foreground, in the background, broken and mended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import DRCTL, ROOT


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment whose state is its own; a lab left up is taken down."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    environment.pop("DRCTL_HOME", None)
    yield environment
    drctl(environment, "lab", "down")


def drctl(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [DRCTL, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )


def test_run_gives_the_command_a_lab_and_exits_with_its_status(shell: dict[str, str]) -> None:
    script = 'test -r "$DRCTL_INVENTORY" && test -n "$DRCTL_HOME" && test -n "$LAB_ONTAP_LYON" && exit 42'
    assert drctl(shell, "lab", "run", "--", "sh", "-c", script).returncode == 42


def test_run_leaves_nothing_behind(shell: dict[str, str], tmp_path: Path) -> None:
    done = drctl(shell, "lab", "run", "--", "sh", "-c", 'cat "$DRCTL_LAB"')
    assert done.returncode == 0, done
    info = json.loads(done.stdout)
    assert not Path(info["control"]).exists()
    assert not list(tmp_path.glob("drctl-lab-*"))
    with pytest.raises(ProcessLookupError):
        os.kill(info["pid"], 0)


def test_run_says_what_it_cannot_find(shell: dict[str, str]) -> None:
    done = drctl(shell, "lab", "run", "--", "no-such-command")
    assert done.returncode == 2
    assert "no-such-command" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lab_ends_with_whoever_started_it(shell: dict[str, str], number: signal.Signals) -> None:
    command = [DRCTL, "lab", "run", "--", "sh", "-c", 'cat "$DRCTL_LAB"; echo; exec sleep 60']
    process = subprocess.Popen(command, env=shell, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    text = ""
    while not text.endswith("}\n"):
        text += process.stdout.readline()
    info = json.loads(text)
    process.send_signal(number)
    process.wait(timeout=60)
    process.stdout.close()
    gone = subprocess.run(["tail", f"--pid={info['pid']}", "-f", "/dev/null"], timeout=60, check=False)
    assert gone.returncode == 0


def test_up_status_fault_reset_down(shell: dict[str, str]) -> None:
    assert drctl(shell, "lab", "status").returncode == 1
    home = Path(shell["XDG_STATE_HOME"]) / "drctl" / "lab" / "home"
    (home / "runs" / "20260131-023000-failover-0a1b").mkdir(parents=True)
    up = drctl(shell, "lab", "up", "--speed", "600")
    assert up.returncode == 0, up
    assert not home.exists(), "a new estate knows nothing of the runs on the one before it"
    assert f"drctl runs --home {home}-1" in up.stdout
    assert (home.with_name("home-1") / "runs" / "20260131-023000-failover-0a1b").is_dir(), "they are kept"
    assert drctl(shell, "lab", "up").returncode == 5
    status = json.loads(drctl(shell, "lab", "status", "--json").stdout)
    assert sorted(status) == ["connections", "mutations", "world"]
    assert drctl(shell, "lab", "fault", "site-down:paris").returncode == 0
    assert "site-down" in drctl(shell, "lab", "fault").stdout
    assert drctl(shell, "lab", "fault", "no-such-fault").returncode == 2
    assert drctl(shell, "lab", "reset").returncode == 0
    assert json.loads(drctl(shell, "lab", "status", "--json").stdout)["world"] == status["world"]
    exports = drctl(shell, "lab", "env").stdout
    plan = f'{exports}\nexec "{DRCTL}" plan runbooks/pacs-site-loss.yaml --json'
    planned = subprocess.run(
        ["sh", "-c", plan], env=shell, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert planned.returncode == 0, planned
    assert json.loads(planned.stdout)["mode"] == "failover"
    assert drctl(shell, "lab", "down").returncode == 0
    assert drctl(shell, "lab", "status").returncode == 1
