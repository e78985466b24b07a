"""Runs playbooks with NetApp's Ansible collection, as tools/peers/ansible.sh installed it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".build" / "ansible"
COLLECTIONS = ROOT / ".build" / "collections"
PATIENCE = 150.0
"""Seconds a playbook may take: NetApp's modules sleep ten seconds in every break."""


def require_ansible() -> None:
    """Fail with one line when the peer is not installed."""
    program = ENVIRONMENT / "bin" / "ansible-playbook"
    collection = COLLECTIONS / "ansible_collections" / "netapp" / "ontap"
    if not (program.exists() and collection.exists()):
        pytest.fail("NetApp's Ansible collection is not installed: run make peers", pytrace=False)


class Playbook:
    """One playbook under way; ``results`` waits for it."""

    def __init__(self, playbook: Path, folder: Path, ca_file: Path, variables: dict[str, Any]) -> None:
        folder.mkdir(parents=True)
        self._results = folder / "results.json"
        inputs = folder / "variables.json"
        inputs.write_text(json.dumps({**variables, "results": str(self._results)}))
        python = ENVIRONMENT / "bin" / "python"
        command = [
            python,
            "-m",
            "ansible",
            "playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            f"@{inputs}",
            playbook,
        ]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            env=_environment(folder, ca_file, python),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def results(self) -> dict[str, Any]:
        """Return what the playbook wrote; fail with its output when it did not come to its end."""
        try:
            output, _ = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop()
            pytest.fail(f"the playbook did not end within {PATIENCE:.0f} s", pytrace=False)
        if self._process.returncode:
            pytest.fail(f"the playbook failed:\n{output}", pytrace=False)
        found: dict[str, Any] = json.loads(self._results.read_text())
        return found

    def stop(self) -> None:
        """End it, if it still runs, and read the rest of what it says."""
        if self._process.poll() is None:
            self._process.kill()
        if self._process.stdout and not self._process.stdout.closed:
            self._process.communicate()


def _environment(folder: Path, ca_file: Path, python: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_PYTHON_INTERPRETER": str(python),
        "ANSIBLE_LOCAL_TEMP": str(folder / "temp"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "temp"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "REQUESTS_CA_BUNDLE": str(ca_file),
        "NO_PROXY": "*",
    }
