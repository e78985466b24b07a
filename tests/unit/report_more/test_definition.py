"""A step's digest tells an edited step from one that only runs elsewhere."""

from __future__ import annotations

from drctl.engine.plan import Planned
from drctl.engine.verdict import Observes

BOOK = """
phases:
  - name: Storage
    steps:
      - id: break
        for_each: all.volumes
        uses: ontap.snapmirror.break
        on: "{{ item.target.endpoint }}"
        with: {destination: "{{ item.target.svm }}:{{ item.target.volume }}"}
      - {id: port, uses: check.tcp, with: {host: 198.51.100.13, port: 22}}
"""


def digests(language, text, mode="failover"):
    expansion = language.expand(language.runbook(text), mode=mode)
    return {step.id: Planned(step, Observes()).event().digest for step in expansion.steps}


def test_items_and_modes_share_the_digest_of_their_step(language):
    found = digests(language, BOOK)
    assert len(found["break[one]"]) == 64
    assert found["break[one]"] == found["break[two]"] != found["port"]
    assert digests(language, BOOK, "drill")["break[one]"] == found["break[one]"]


def test_an_edit_changes_the_digest_of_its_step_alone(language):
    before = digests(language, BOOK)
    after = digests(language, BOOK.replace("port: 22", "port: 23"))
    assert after["port"] != before["port"]
    assert after["break[one]"] == before["break[one]"]


def test_arguments_phase_and_loop_belong_to_a_step(language):
    before = digests(language, BOOK)["break[one]"]
    edits = (
        ("item.target.volume }}", "item.target.volume }}2"),
        ("name: Storage", "name: Disks"),
        ("all.volumes", "all.volumes | list"),
        ("uses: ontap.snapmirror.break", "uses: ontap.snapmirror.break\n        on_error: continue"),
    )
    for edit in edits:
        assert digests(language, BOOK.replace(*edit))["break[one]"] != before, edit


def test_comments_and_layout_do_not(language):
    laid_out = BOOK.replace("with: {host: 198.51.100.13, port: 22}", "with: {port: 22, host: 198.51.100.13}")
    assert digests(language, "\n# a comment" + laid_out) == digests(language, BOOK)
