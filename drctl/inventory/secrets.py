"""Finds the value behind a secret's reference, at the moment a connection opens.

References: ``env: NAME`` · ``file: PATH`` (private to its owner) · ``keyring: SERVICE/USER`` ·
``command: PROGRAM ARG…`` (no shell) · ``vault: PATH#FIELD`` (HashiCorp Vault or OpenBao, with
``VAULT_ADDR`` and ``VAULT_TOKEN``).
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from drctl.core.problem import DrctlError, Problem
from drctl.inventory.redactor import Redactor

_COMMAND_SECONDS: Final = 30.0
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SecretStore:
    """Resolves references and tells ``redactor`` every value it has given out.

    Relative files count from ``folder``, the inventory's. A value is looked up once per process, so
    that a command that asks a person for a code asks once.
    """

    def __init__(self, folder: Path = Path(), environ: Mapping[str, str] | None = None) -> None:
        self.redactor = Redactor()
        self._folder = folder
        self._environ = os.environ if environ is None else environ
        self._known: dict[tuple[str, str], str] = {}
        self._ways: Mapping[str, Callable[[str], str]] = {
            "env": self._env,
            "file": self._file,
            "keyring": self._keyring,
            "command": self._command,
            "vault": self._vault,
        }

    def resolve(self, kind: str, place: str) -> str:
        """Return the value; raise ``DrctlError`` saying why there is none."""
        known = self._known.get((kind, place))
        if known is not None:
            return known
        value = self._ways[kind](place)
        if not value:
            raise _failed(kind, place, "it is empty")
        self.redactor.add(value)
        self._known[kind, place] = value
        return value

    def _env(self, name: str) -> str:
        if name not in self._environ:
            why = "the environment variable is not set"
            raise _failed("env", name, why, f"Set it: read -rs {name} && export {name}")
        return self._environ[name]

    def _file(self, place: str) -> str:
        path = self._folder / Path(place).expanduser()
        try:
            if not _is_private(path):
                why = "other users may read it"
                raise _failed("file", place, why, f"chmod 600 {shlex.quote(str(path))}")
            return path.read_text(encoding="utf-8").removesuffix("\n")
        except OSError as error:
            raise _failed("file", place, (error.strerror or str(error)).lower()) from error
        except UnicodeDecodeError as error:
            raise _failed("file", place, "it is not UTF-8 text") from error

    def _keyring(self, place: str) -> str:
        service, _, user = place.rpartition("/")
        if not service:
            raise _failed("keyring", place, "it is written SERVICE/USER")
        try:
            import keyring  # noqa: PLC0415 - an extra that most installations do without
            from keyring.errors import KeyringError  # noqa: PLC0415 - as above
        except ImportError as error:
            raise _failed("keyring", place, "not installed", "pip install 'drctl[keyring]'") from error
        try:
            value = keyring.get_password(service, user)
        except KeyringError as error:
            raise _failed("keyring", place, str(error)) from error
        if value is None:
            raise _failed("keyring", place, "there is no such entry", f"keyring set {service} {user}")
        return value

    def _command(self, place: str) -> str:
        try:
            done = subprocess.run(  # the inventory's own words, split without a shell
                shlex.split(place),
                capture_output=True,
                check=False,
                text=True,
                timeout=_COMMAND_SECONDS,
                cwd=self._folder,
                env=dict(self._environ),
            )
        except (OSError, ValueError) as error:  # no such program; unbalanced quotes; output no text
            raise _failed("command", place, str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise _failed("command", place, f"no answer within {_COMMAND_SECONDS:.0f} s") from error
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [""])[-1]
            why = f"it ended with status {done.returncode}" + (f": {said}" if said else "")
            raise _failed("command", place, why)
        return done.stdout.removesuffix("\n")

    def _vault(self, place: str) -> str:
        path, _, name = place.partition("#")
        if not path or not name:
            raise _failed("vault", place, "it is written PATH#FIELD, e.g. secret/data/drctl#ontap")
        missing = [one for one in ("VAULT_ADDR", "VAULT_TOKEN") if not self._environ.get(one)]
        if missing:
            raise _failed("vault", place, f"{' and '.join(missing)} not set")
        try:
            import hvac  # noqa: PLC0415 - an extra that most installations do without
            from hvac.exceptions import VaultError  # noqa: PLC0415 - as above
        except ImportError as error:
            raise _failed("vault", place, "not installed", "pip install 'drctl[vault]'") from error
        self.redactor.add(self._environ["VAULT_TOKEN"])
        client = hvac.Client(url=self._environ["VAULT_ADDR"], token=self._environ["VAULT_TOKEN"], timeout=10)
        try:
            answer = client.read(path)
        except (VaultError, OSError) as error:  # requests' errors are OSErrors
            raise _failed("vault", place, str(error).splitlines()[0] if str(error) else "refused") from error
        return _vault_field(answer, name, place)


def _vault_field(answer: object, name: str, place: str) -> str:
    """Return a field of a KV version 1 or 2 answer; version 2 wraps the fields in a second ``data``."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise _failed("vault", place, f"there is no text field {name!r}" if data else "there is nothing")
    return value


def _is_private(path: Path) -> bool:
    """Say whether nobody but its owner can read it: by its own mode, or its directory's."""
    return not path.stat().st_mode & _OTHERS or not path.absolute().parent.stat().st_mode & _OTHERS


def _failed(kind: str, place: str, why: str, hint: str = "") -> DrctlError:
    return DrctlError(
        Problem(code="secret", summary=f"cannot read the secret {kind}:{place}: {why}", hint=hint)
    )
