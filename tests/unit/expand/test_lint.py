from __future__ import annotations

import pytest

from drctl.core.problem import Problem
from drctl.engine.expand import expand
from drctl.engine.lint import check_answers, lint
from drctl.inventory.load import load_inventory
from drctl.runbook.load import load_answers, load_runbook, parse_answers

GATE = "- {id: go, gate: {ask: Go?, role: boss}}\n"
POWER = """\
- {id: on, for_each: all.vms, uses: vsphere.vm.power_on, on: "{{ item.target.endpoint }}", with: {vm: "{{ item.name }}", wait_for: none}}
"""
SET_IP = """\
- id: ip
  for_each: all.vms
  when: item.source.ip != item.target.ip
  uses: vsphere.vm.set_ip
  on: "{{ item.target.endpoint }}"
  with: {vm: "{{ item.name }}", adapter: a, ip: "{{ item.target.ip }}", prefix: 24, username: u, password: {env: GUEST}}
"""
STOP = '- {id: stop, for_each: all.vms, uses: vsphere.vm.power_off, on: "{{ item.source.endpoint }}", with: {vm: "{{ item.name }}"}}\n'


def found(
    language, steps: str, *, text: str | None = None, mode: str = "failover", down: str | None = None
) -> list[Problem]:
    book = language.steps(steps)
    text = text or language.text
    return lint(book, language.inventory(text), language.expand(book, mode, inventory=text), down)


def codes(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.severity) for problem in problems]


def test_nothing_is_said_of_what_is_right(language):
    assert found(language, GATE) == []


def test_the_shipped_files_are_right(language, root):
    inventory = load_inventory(root / "inventories" / "lab.yaml", language.registry)
    runbook = load_runbook(root / "runbooks" / "pacs-site-loss.yaml")
    for mode in ("failover", "switchover", "failback"):
        expansion = expand(runbook, inventory, mode, {}, language.registry, run_id="R")
        assert [
            problem for problem in lint(runbook, inventory, expansion) if problem.severity == "error"
        ] == []
    expansion = expand(runbook, inventory, "failover", {}, language.registry, run_id="R")
    assert lint(runbook, inventory, expansion) == []
    assert check_answers(load_answers(root / "runbooks" / "lab-answers.yaml"), expansion) == []


def test_a_step_on_the_lost_site_must_tolerate_it(language):
    (problem,) = found(language, GATE + STOP)
    assert (problem.code, problem.severity) == ("lost-site", "error")
    assert problem.summary == "'stop' must reach north, which is presumed dead"
    assert problem.step == "stop[db]"
    assert found(language, GATE + STOP.replace("with:", "on_error: continue, with:")) == []
    assert found(language, GATE + STOP, mode="switchover") == []
    assert codes(found(language, GATE + STOP, mode="switchover", down="north")) == [("lost-site", "error")]


def test_an_address_of_the_lost_site_counts_too(language):
    steps = GATE + "- {id: probe, uses: check.tcp, with: {host: 192.0.2.11, port: 443}}\n"
    assert codes(found(language, steps)) == [("lost-site", "error")]
    assert found(language, steps.replace("192.0.2.11", "198.51.100.11")) == []


def test_a_precheck_on_the_lost_site_is_a_warning(language):
    rest = """\
    prechecks:
      - {id: up, uses: ontap.access, on: ontap-north, with: {max_skew: 5m}}
    phases: [{name: A, steps: [{id: go, gate: {ask: x, role: boss}}]}]
    """
    book = language.runbook(rest)
    problems = lint(book, language.inventory(), language.expand(book))
    assert codes(problems) == [("lost-site", "warning")]


@pytest.mark.parametrize(("down", "expected"), [(None, []), ("vault", []), ("south", ["lost-site"])])
def test_any_site_can_be_assumed_down(language, down, expected):
    steps = GATE + "- {id: put, uses: ssh.put, on: edge, with: {path: /p, content: x}}\n"
    assert [problem.code for problem in found(language, steps, down=down)] == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "host: 198.51.100.12, username: drctl, password: {env: SOUTH}",
            "host: 198.51.100.12, username: drctl, password: {vault: a#b}",
        ),
        (
            "host: 198.51.100.12, username: drctl, password: {env: SOUTH}",
            "host: 198.51.100.12, username: drctl, password: {command: ask}",
        ),
        ("host: 198.51.100.12", "host: vc.example"),
    ],
)
def test_what_else_must_survive_is_said(language, old, new):
    steps = GATE + POWER.replace("all.vms", "'services.app.vms[:1]'")
    assert found(language, steps) == []
    text = language.text.replace(old, new)
    assert text != language.text
    problems = found(language, steps, text=text)
    assert codes(problems) == [("survival", "warning")]
    assert "must survive the loss of north" in problems[0].summary


def test_a_resolver_at_the_lost_site(language):
    steps = (
        GATE
        + "- {id: web, uses: check.http, with: {url: 'http://app.example/', resolver: '192.0.2.20:53'}}\n"
    )
    (problem,) = found(language, steps)
    assert (problem.code, problem.severity) == ("survival", "error")
    assert "192.0.2.20:53, which dies with north" in problem.summary


def test_a_secondary_at_the_lost_site(language):
    dns = "  names: {type: dns, site: south, server: 198.51.100.53, secondaries: ['192.0.2.20:5353'], tsig: {name: k., algorithm: hmac-sha256, secret: {env: K}}}\n"
    text = language.text.replace("services:\n", dns + "services:\n", 1)
    steps = (
        GATE
        + "- {id: rec, uses: dns.record.set, on: names, with: {zone: example., name: a, type: A, ttl: 60, values: [192.0.2.1]}}\n"
    )
    (problem,) = found(language, steps, text=text)
    assert (problem.code, problem.severity) == ("survival", "warning")
    assert language.pointed(problem).startswith("'192.0.2.20:5353'")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("rpo: 2h}", "rpo: 1h}", "rpo"),
        ("rpo: 2h}", "rpo: 30m}", "rpo"),
        ("schedule: 1h\n", "schedule: 1h\n        usual_transfer: 61m\n", "rpo"),
        ("priority: 1\n", "priority: 0\n", "priority"),
        ("vmx: web/web.vmx\n", "vmx: web/web.vmx\n        uuid: AB-CD\n", None),
        ("boss: {name", "chief: {name", "contact"),
    ],
)
def test_what_practice_teaches(language, old, new, code):
    text = language.text.replace(old, new)
    assert text != language.text
    assert {problem.code for problem in found(language, GATE, text=text)} == ({code} if code else set())


def test_two_machines_of_one_uuid(language):
    text = language.text.replace("vmx: web/web.vmx\n", "vmx: web/web.vmx\n        uuid: AB-CD\n")
    text = text.replace("vmx: db/db.vmx\n", "vmx: db/db.vmx\n        uuid: abcd\n")
    assert codes(found(language, GATE, text=text)) == [("uuid", "warning")]


def test_a_guest_address_that_no_step_sets(language):
    (problem,) = found(language, GATE + POWER)
    assert problem.summary == "web has another address at south, and no step sets it"
    assert language.pointed(problem).startswith("198.51.100.132")
    assert found(language, GATE + POWER + SET_IP) == []


def test_a_gate_without_role_and_a_runbook_without_gate(language):
    assert codes(found(language, "- {id: go, gate: {ask: Go?}}")) == [("role", "warning")]
    assert codes(found(language, "- {id: put, uses: ssh.put, on: edge, with: {path: /p, content: x}}")) == [
        ("gate", "warning")
    ]


def test_a_manual_step_that_confirms_nothing_known(language):
    (problem,) = found(language, GATE + "- {id: see, manual: {do: Look, confirms: apq}}")
    assert (problem.code, problem.severity, problem.hint) == (
        "unknown-service",
        "error",
        "Did you mean 'app'?",
    )


def test_metadata_is_asked_for(language):
    head = "drctl: 1\nkind: runbook\nname: x\ndirection: {source: north, target: south}\n"
    book = language.runbook("phases: [{name: A, steps: [{id: go, gate: {ask: x, role: boss}}]}]", head)
    problems = lint(book, language.inventory(), language.expand(book))
    assert [problem.code for problem in problems] == ["metadata"] * 3
    assert {problem.severity for problem in problems} == {"warning"}


def test_answers_must_fit_their_steps(language):
    expansion = language.expand(language.steps(GATE + "- {id: call, manual: {do: x}}"))
    text = (
        "drctl: 1\nkind: answers\nanswers: {gone: {answer: go}, go: {answer: done}, call: {answer: done}}\n"
    )
    problems = check_answers(parse_answers(text, "a"), expansion)
    assert [(problem.code, problem.hint) for problem in problems] == [
        ("unknown-step", "Did you mean 'go'?"),
        ("answer", ""),
    ]
