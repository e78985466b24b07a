"""Signed heads, with the real ssh-keygen: what they prove, and everything that must refute them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from story import Story

from drctl.app.context import Context
from drctl.app.seal import NAMESPACE, parse_statement, sign, verify_command
from drctl.app.verify import Kept, verify
from drctl.core.problem import DrctlError, ExitCode
from drctl.core.provider import Registry
from drctl.engine.home import Home


def keygen(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *map(str, arguments)], input=stdin, capture_output=True, check=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "other"):
        assert keygen("-q", "-t", "ed25519", "-N", "", "-f", folder / name).returncode == 0
    public = {name: (folder / f"{name}.pub").read_text() for name in ("mine", "other")}
    lines = {
        "good": f"duty@clinic.example {public['mine']}",
        "expired": f'duty@clinic.example valid-before="20200101" {public["mine"]}',
        "stranger": f"duty@clinic.example {public['other']}",
        "elsewhere": f'duty@clinic.example namespaces="file" {public["mine"]}',
        "empty": "",
    }
    for name, line in lines.items():
        (folder / name).write_text(line)
    return folder


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path, "20260131-031200-failover-1f0c").whole()


@pytest.fixture
def context(tmp_path, story):
    return Context(Home(tmp_path, story.clock), Registry(), story.clock, "operator", "bastion")


def proofs(context, *, allowed=None, head=None, signed=None):
    found = verify(context, "last", head, Kept(signed, allowed))
    return {proof.subject: proof for proof in found.proofs}


def test_a_signed_head_proves_the_end(context, keys):
    sealed = sign(context, "last", keys / "mine")
    found = proofs(context, allowed=keys / "good")
    assert found["signature"].proven
    assert "duty@clinic.example" in found["signature"].text
    assert found["end"].proven
    assert parse_statement(sealed.text.read_bytes()) == sealed.statement


def test_plain_ssh_keygen_and_coreutils_verify_it(context, keys):
    sealed = sign(context, "last", keys / "mine")
    command = verify_command(keys / "good", "duty@clinic.example", sealed.signature)
    done = subprocess.run(command, input=sealed.text.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0
    assert NAMESPACE in done.stdout.decode()
    lines = sealed.statement.lines
    piped = f"head -n {lines} journal.jsonl | tail -n 1 | head -c -1 | sha256sum"
    digest = subprocess.run(piped, shell=True, cwd=sealed.directory.path, capture_output=True, check=True)
    assert digest.stdout.decode().split()[0] == sealed.statement.head


def test_a_key_nobody_vouches_for_proves_nothing_and_refutes_nothing(context, keys):
    sign(context, "last", keys / "mine")
    found = proofs(context)
    assert found["signature"].proven is None
    assert "nobody vouches" in found["signature"].text
    assert found["end"].proven is None


@pytest.mark.parametrize(
    ("allowed", "said"),
    [("expired", "expired"), ("stranger", "no signer"), ("elsewhere", "namespace"), ("empty", "no signer")],
)
def test_who_may_not_sign_is_refused(context, keys, allowed, said):
    sign(context, "last", keys / "mine")
    found = proofs(context, allowed=keys / allowed)
    assert found["signature"].proven is False
    assert said in found["signature"].text
    assert not found["end"].proven


@pytest.mark.parametrize("known", [True, False])
def test_a_signature_for_another_purpose_is_refused(context, keys, known):
    sealed = sign(context, "last", keys / "mine")
    sealed.signature.unlink()
    done = keygen("-q", "-Y", "sign", "-n", "file", "-f", keys / "mine", sealed.text)
    assert done.returncode == 0
    found = proofs(context, allowed=keys / "good" if known else None)
    assert found["signature"].proven is False


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("change", [(b"lines: ", b"lines: 1"), (b"\n", b"\r\n"), (b"head: ", b"head:  ")])
def test_a_changed_statement_is_refused(context, keys, change, known):
    sealed = sign(context, "last", keys / "mine")
    sealed.text.write_bytes(sealed.text.read_bytes().replace(*change))
    found = proofs(context, allowed=keys / "good" if known else None)
    assert found["signature"].proven is False


def test_a_well_signed_text_that_is_no_statement_is_refused(context, keys):
    sealed = sign(context, "last", keys / "mine")
    sealed.text.write_text("drctl journal head\nrun: x\n")
    sealed.signature.unlink()
    assert keygen("-q", "-Y", "sign", "-n", NAMESPACE, "-f", keys / "mine", sealed.text).returncode == 0
    assert "states no head" in proofs(context, allowed=keys / "good")["signature"].text


def test_the_signed_head_of_another_run_is_refused(context, tmp_path, keys):
    sealed = sign(context, "last", keys / "mine")
    Story(tmp_path, "20260201-000000-failover-ffff").whole()
    found = proofs(context, allowed=keys / "good", signed=sealed.text)
    assert found["signature"].proven is False
    assert "another run" in found["signature"].text


def test_a_truncated_journal_is_refuted_by_its_signed_head_and_unproven_without(context, story, keys):
    sign(context, "last", keys / "mine")
    lines = story.directory.journal.read_bytes().splitlines(keepends=True)
    story.directory.journal.write_bytes(b"".join(lines[:-2]))
    assert proofs(context, allowed=keys / "good")["end"].proven is False
    (story.directory.path / "head.txt").unlink()
    end = proofs(context)["end"]
    assert end.proven is None
    assert f"intact up to line {len(lines) - 2}, end unproven" in end.text


def test_a_journal_written_anew_is_refuted_by_a_copy_kept_elsewhere(context, story, tmp_path, keys):
    sealed = sign(context, "last", keys / "mine")
    vault = tmp_path / "vault"
    vault.mkdir()
    for path in (sealed.text, sealed.signature):
        shutil.copy(path, vault)
    shutil.rmtree(story.directory.path)
    Story(tmp_path, story.run).whole(2.0)
    sign(context, "last", keys / "other")
    assert proofs(context)["end"].proven is None
    assert proofs(context, allowed=keys / "good", signed=vault / "head.txt")["end"].proven is False


def test_what_came_after_the_signature_is_told_apart(context, story, keys):
    statement = sign(context, "last", keys / "mine").statement
    story.note("a lesson", "lesson")
    end = proofs(context, allowed=keys / "good")["end"]
    assert end.proven is None
    assert f"lines 1 to {statement.lines} are proven" in end.text
    sign(context, "last", keys / "mine")
    assert proofs(context, allowed=keys / "good")["end"].proven


@pytest.mark.parametrize("swap", [(3, 4), (0, 1)])
def test_a_reordered_journal_is_refused_with_its_line_and_cannot_be_signed(context, story, keys, swap):
    lines = story.directory.journal.read_bytes().splitlines(keepends=True)
    first, second = swap
    lines[first], lines[second] = lines[second], lines[first]
    story.directory.journal.write_bytes(b"".join(lines))
    for act in (lambda: verify(context, "last", None), lambda: sign(context, "last", keys / "mine")):
        with pytest.raises(DrctlError, match=f"line {first + 1} ") as caught:
            act()
        assert caught.value.exit_code is ExitCode.FAILED


def test_a_missing_signature_is_refuted_only_where_one_was_asked_for(context, keys):
    assert "signature" not in proofs(context)
    assert proofs(context, allowed=keys / "good")["signature"].proven is False


def test_no_key_and_no_private_key_are_said(context, keys, tmp_path):
    with pytest.raises(DrctlError, match="no key at") as caught:
        sign(context, "last", tmp_path / "none")
    assert caught.value.exit_code is ExitCode.USAGE
    lone = tmp_path / "lone.pub"
    shutil.copy(keys / "mine.pub", lone)
    with pytest.raises(DrctlError, match="ssh-keygen did not sign") as caught:
        sign(context, "last", lone)
    assert caught.value.exit_code is ExitCode.FAILED


def test_the_documented_commands_do_without_drctl(context, story, keys):
    page = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    walk = page.partition("```\npython3 -c")[2].partition("```")[0]
    sealed = sign(context, "last", keys / "mine")

    def run():
        return subprocess.run(
            f"python3 -c{walk}",
            shell=True,
            cwd=sealed.directory.path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().stdout.split() == [str(sealed.statement.lines), sealed.statement.head]
    lines = story.directory.journal.read_bytes().splitlines(keepends=True)
    story.directory.journal.write_bytes(b"".join([*lines[:6], *lines[7:]]))
    assert run().stderr.strip() == "line 7 does not continue the chain"
