from __future__ import annotations

import pytest

from drctl.engine.expand import expand
from drctl.engine.graph import build
from drctl.engine.step import Gate, Manual, Retry, Unresolved, Until, Use
from drctl.inventory.load import load_inventory
from drctl.runbook.load import load_runbook

PROMOTE = """\
- id: promote
  for_each: services.app.volumes
  steps:
    - {id: break, uses: ontap.snapmirror.break, on: "{{ item.target.endpoint }}", with: {destination: "{{ item.target.svm }}:{{ item.target.volume }}"}}
    - {id: mount, uses: ontap.volume.mount, on: "{{ item.target.endpoint }}", with: {svm: "{{ item.target.svm }}", volume: "{{ steps.break.outputs.volume }}", junction: "{{ item.target.junction }}"}}
"""
GATE = "- {id: go, gate: {ask: Go?, role: boss}}\n"
CHECK = "- {id: %s, uses: check.tcp, with: {host: 192.0.2.99, port: %s}}\n"


def use(expansion, step: str) -> Use:
    body = next(one.body for one in (*expansion.steps, *expansion.prechecks) if one.id == step)
    assert isinstance(body, Use)
    return body


def arguments(expansion, step: str, outputs=None):
    return use(expansion, step).arguments.resolve(outputs or {})


@pytest.fixture(scope="module")
def shipped(language, root):
    inventory = load_inventory(root / "inventories" / "lab.yaml", language.registry)
    runbook = load_runbook(root / "runbooks" / "pacs-site-loss.yaml")
    return lambda mode="failover": expand(runbook, inventory, mode, {}, language.registry, run_id="R1")


def test_the_shipped_runbook_expands(shipped):
    expansion = shipped()
    assert len(expansion.steps) == 84
    assert arguments(expansion, "datastore[ds_pacs]") == {
        "datastore": "ds_pacs",
        "nfs_server": "198.51.100.20",
        "path": "/pacs_vm",
        "cluster": "dr",
    }
    assert arguments(expansion, "edge-site")["content"] == "lyon\n"
    assert (
        "vm[pacs-db01].address",
        "not needed here: item.source.ip != item.target.ip does not hold",
    ) in expansion.skipped
    assert expansion.services == {"directory", "ris", "pacs", "portal"}
    assert build(expansion.steps).order[0] == "directory-alive[ldap]"


def test_the_way_back_is_the_same_runbook_with_the_roles_swapped(shipped):
    expansion = shipped("failback")
    assert (expansion.source, expansion.target) == ("lyon", "paris")
    assert arguments(expansion, "edge-site")["content"] == "paris\n"
    assert use(expansion, "datastore[ds_pacs]").endpoint == "vc-paris"


@pytest.mark.parametrize(("mode", "policy"), [("failover", "none"), ("failback", "default")])
def test_the_shipped_runbook_sets_the_snapshot_policy_that_the_inventory_names(
    language, root, tmp_path, mode, policy
):
    text = (root / "inventories" / "lab.yaml").read_text()
    for volume, name in (("ris_db,", "default"), ("ris_db_dr,", "none")):
        assert text.count(f"volume: {volume}") == 1
        text = text.replace(f"volume: {volume}", f"volume: {volume} snapshot_policy: {name},")
    (tmp_path / "lab.yaml").write_text(text)
    inventory = load_inventory(tmp_path / "lab.yaml", language.registry)
    runbook = load_runbook(root / "runbooks" / "pacs-site-loss.yaml")
    expansion = expand(runbook, inventory, mode, {}, language.registry, run_id="R1")
    setting = [step for step in expansion.steps if step.id.endswith(".snapshots")]
    assert [(step.id, step.on_error) for step in setting] == [("promote[ris_db].snapshots", "continue")]
    volume = "ris_db_dr" if mode == "failover" else "ris_db"
    found = arguments(expansion, setting[0].id, {"promote[ris_db].break": {"volume": volume}})
    assert (found["volume"], found["policy"]) == (volume, policy)


def test_items_become_steps_with_stable_ids(language):
    expansion = language.expand(language.steps(PROMOTE))
    assert [step.id for step in expansion.steps] == [
        "promote[one].break",
        "promote[one].mount",
        "promote[two].break",
        "promote[two].mount",
    ]
    first = expansion.steps[0]
    assert (first.item, first.service, first.chain, first.phase) == ("one", "app", "promote[one]", "Only")
    assert use(expansion, first.id).endpoint == "ontap-south"
    assert (use(expansion, first.id).site, use(expansion, first.id).kind) == ("south", "action")
    assert first.reaches == {"south"}
    assert first.where.line == 14


def test_outputs_are_those_of_the_same_item(language):
    expansion = language.expand(language.steps(PROMOTE))
    mount = use(expansion, "promote[two].mount")
    assert mount.references == {"promote[two].break"}
    with pytest.raises(Unresolved) as caught:
        mount.arguments.resolve({"promote[one].break": {"volume": "x"}, "promote[two].break": {"svm": "s"}})
    assert caught.value.steps == {"promote[two].break"}
    found = mount.arguments.resolve({"promote[two].break": {"volume": "{{ item.name }}"}})
    assert found == {"svm": "s", "volume": "{{ item.name }}", "junction": "/two"}


def test_outputs_of_another_chain_are_named_in_full_and_ordered(language):
    steps = (
        PROMOTE
        + """\
- id: late
  needs: []
  for_each: services.app.volumes
  uses: ssh.put
  on: edge
  with: {path: "/p", content: "{{ steps['promote[' ~ item.name ~ '].break'].outputs.volume }} of {{ item.name }}"}
"""
    )
    expansion = language.expand(language.steps(steps))
    assert language.needs(expansion)["late[two]"] == {"promote[two].break"}
    assert arguments(expansion, "late[two]", {"promote[two].break": {"volume": "v"}})["content"] == "v of two"


def test_native_values_keep_their_type(language):
    steps = """\
    - id: exports
      for_each: services.app.volumes | selectattr('target.clients')
      uses: ontap.volume.export
      on: "{{ item.target.endpoint }}"
      with: {svm: "{{ item.target.svm }}", volume: v, policy: p, clients: "{{ item.target.clients }}"}
    """
    expansion = language.expand(language.steps(steps))
    assert [step.id for step in expansion.steps] == ["exports[one]"]
    assert arguments(expansion, "exports[one]")["clients"] == ["198.51.100.31"]


def test_a_whole_with_may_come_from_the_inventory(language):
    steps = '- {id: a, for_each: services.base.checks, uses: "{{ item.uses }}", with: "{{ item.with }}", until: {timeout: 1m, every: 2s}}'
    expansion = language.expand(language.steps(steps))
    assert arguments(expansion, "a[port]") == {"host": "198.51.100.13", "port": 22}
    assert expansion.steps[0].until == Until(60.0, 2.0)
    assert expansion.steps[0].reaches == {"south"}
    assert use(expansion, "a[port]").endpoint is None


def test_the_bodies_of_people(language):
    steps = """\
    - {id: go, title: "Leave {{ source.title }}", gate: {ask: "{{ target.title }} takes over?", role: boss, timeout: 30m, on_timeout: deny}}
    - {id: call, manual: {do: "Call {{ params.who }}", role: boss, evidence: Ticket, confirms: app}}
    """
    book = language.runbook(
        "parameters: {who: {default: them}}\nphases:\n- name: A\n  steps:\n" + steps.replace("    - ", "  - ")
    )
    go, call = language.expand(book, params={"who": "us"}).steps
    assert go.title == "Leave The north"
    assert go.body == Gate("The south takes over?", "boss", 1800.0, "deny")
    assert call.body == Manual("Call us", "boss", "Ticket", "app")
    assert call.title == "call"


def test_what_says_how_to_run(language):
    steps = """\
    - id: a
      for_each: services.app.vms
      max_parallel: 2
      on_error: continue
      steps:
        - {id: off, uses: vsphere.vm.power_off, on: "{{ item.target.endpoint }}", with: {vm: "{{ item.name }}"}, timeout: 5m, retry: {attempts: 3, every: 2s}}
        - {id: ask, gate: {ask: x}, on_error: ask}
    """
    off, ask, *_ = language.expand(language.steps(steps)).steps
    assert (off.on_error, off.timeout, off.retry, off.lane) == (
        "continue",
        300.0,
        Retry(3, 2.0, 2.0),
        ("a", 2),
    )
    assert ask.on_error == "ask"


def test_modes_limit_steps_and_chain_links(language):
    steps = """\
    - {id: both, gate: {ask: x}}
    - {id: calm, modes: [switchover], gate: {ask: x}}
    - {id: chain, steps: [{id: one, modes: [failover], gate: {ask: x}}, {id: two, gate: {ask: x}}]}
    """
    book = language.steps(steps)
    assert [step.id for step in language.expand(book).steps] == ["both", "chain.one", "chain.two"]
    assert [step.id for step in language.expand(book, "switchover").steps] == ["both", "calm", "chain.two"]
    assert [step.id for step in language.expand(book, "failback").steps] == ["both", "calm", "chain.two"]
    assert language.expand(book).skipped == (("calm", "belongs to switchover"),)


def test_a_condition_on_outputs_waits_for_them(language):
    steps = (
        PROMOTE
        + """\
- id: tell
  needs: []
  when: steps['promote[one].break'].outputs.volume == 'v' and mode == 'failover'
  steps:
    - {id: a, gate: {ask: x}}
    - {id: b, gate: {ask: x}, when: "steps['promote[two].break'].outputs.volume == 'w'"}
"""
    )
    first, second = language.expand(language.steps(steps)).steps[-2:]
    assert first.needs == {"promote[one].break"}
    assert second.needs == {"tell.a", "promote[one].break", "promote[two].break"}
    outputs = {"promote[one].break": {"volume": "v"}, "promote[two].break": {"volume": "other"}}
    assert first.when.holds(outputs)
    assert not second.when.holds(outputs)
    assert not second.when.holds({"promote[one].break": {"volume": "not v"}})
    with pytest.raises(Unresolved):
        first.when.holds({})


def test_prechecks_are_apart_and_wait_for_nothing(language):
    rest = """\
    prechecks:
      - {id: lag, uses: ontap.mirror.fresh, for_each: all.volumes, on: "{{ item.target.endpoint }}", with: {destination: "{{ item.target.svm }}:{{ item.target.volume }}", max_lag: "{{ objectives.rpo }}"}}
    phases: [{name: A, steps: [{id: go, gate: {ask: x}}]}]
    """
    expansion = language.expand(language.runbook(rest))
    assert [step.id for step in expansion.prechecks] == ["lag[one]", "lag[two]"]
    assert arguments(expansion, "lag[one]") == {"destination": "s:one_dr", "max_lag": 7200.0}
    assert not any(step.needs for step in expansion.prechecks)
    assert [step.id for step in expansion.steps] == ["go"]


FAULTS = [
    ("- {id: a, uses: ontap.snapmirror.brake, on: ontap-south, with: {}}", "unknown-uses", "ontap.snapmirror.brake", "Did you mean 'ontap.snapmirror.break'?"),
    ("- {id: a, uses: ontop.x}", "unknown-uses", "ontop.x", None),
    ("- {id: a, uses: ontap.svm.stop, with: {svm: s}}", "endpoint", "{id: a", ""),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-suoth, with: {svm: s}}", "unknown-endpoint", "ontap-suoth", "Did you mean 'ontap-south'?"),
    ("- {id: a, uses: ontap.svm.stop, on: vc-south, with: {svm: s}}", "endpoint-type", "vc-south", ""),
    ("- {id: a, uses: check.tcp, on: edge, with: {host: h, port: 1}}", "endpoint", "edge", "Remove 'on'."),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south, with: {svm: s, snv: s}}", "unknown-key", "snv", "Did you mean 'svm'?"),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south}", "missing-key", "{id: a", ""),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south, with: {svm: [s]}}", "wrong-type", "[s]", ""),
    ("- {id: a, uses: check.tcp, with: {host: h, port: '1'}}", "wrong-type", "'1'", None),
    ("- {id: a, uses: check.tcp, with: {host: h, port: 1, timeout: soon}}", "wrong-value", "soon", ""),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south, with: {svm: {env: X}}}", "wrong-type", "{env: X}", ""),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south, with: '{{ source.name }}'}", "wrong-type", "'{{", ""),
    ("- {id: a, for_each: all.volumes, uses: ontap.svm.stop, on: '{{ item.target.endpont }}', with: {svm: s}}", "expression", "endpont }}", "Did you mean 'endpoint'?"),
    ("- {id: a, for_each: 'all.volumes | map(attribute=\"target.nme\")', gate: {ask: x}}", "expression", "nme", None),
    ("- {id: a, for_each: all.volums, gate: {ask: x}}", "expression", "volums", "Did you mean 'volumes'?"),
    ("- {id: a, for_each: source.name, gate: {ask: x}}", "for-each", "source.name", "A mapping gives one with .values() or .keys()."),
    ("- {id: a, for_each: all.vms, key: same, gate: {ask: x}}", "item-key", "all.vms", None),
    ("- {id: a, for_each: 'all.vms | map(attribute=\"target\")', gate: {ask: x}}", "item-key", "'all.vms", None),
    ("- {id: a, for_each: all.vms, key: '{{ item.name }}]', gate: {ask: x}}", "item-key", "'{{", "Give the step a key."),
    ("- {id: a, for_each: all.vms, waves: item.target.ip, gate: {ask: x}}", "waves", "item.target.ip", ""),
    ("- {id: a, gate: {ask: '{{ params.nope }}'}}", "expression", "nope", None),
    ("- {id: a, gate: {ask: '{{ services.ap.title }}'}}", "expression", "ap.title", "Did you mean 'app'?"),
    ("- {id: a, gate: {ask: x}, when: services.app.ordr == 1}", "expression", "ordr", "Did you mean 'order'?"),
    ("- {id: a, uses: ontap.svm.stop, on: ontap-south, with: {svm: s}, until: {timeout: 1m}}", "until", "until", ""),
    ("- {id: a, uses: ssh.run, on: edge, with: {command: [x]}}", "wrong-value", "{command", ""),
    (PROMOTE + "- {id: z, uses: ssh.put, on: edge, with: {path: /p, content: '{{ steps.promote.outputs.x }}'}}", "expression", "steps.promote", "Name one of them, e.g. steps['promote[one].break']."),
    (PROMOTE + "- {id: z, uses: ssh.put, on: edge, with: {path: /p, content: '{{ steps.break.outputs.x }}'}}", "expression", "steps.break", None),
    (PROMOTE.replace("outputs.volume", "outputs.volum"), "expression", "steps.break", "Did you mean 'volume'?"),
    (GATE + "- {id: z, uses: ssh.put, on: edge, with: {path: /p, content: '{{ steps.go.outputs.x }}'}}", "expression", "steps.go", "It has none at all."),
    ("- {id: y, when: false, uses: ssh.put, on: edge, with: {path: /p, content: x}}\n- {id: z, uses: ssh.put, on: edge, with: {path: /p, content: '{{ steps.y.outputs.path }}'}}", "expression", "steps.y", ""),
    (PROMOTE.replace("steps.break.outputs.volume", "steps.break.outputs.volume ~ item.target.nope"), "expression", "nope", None),
    (PROMOTE + "- {id: z, gate: {ask: x}, needs: ['promote[three]']}", "unknown-step", "'promote[three]'", None),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "code", "pointed", "hint"), FAULTS)
def test_one_thing_wrong(language, steps, code, pointed, hint):
    problems = language.problems(lambda: language.expand(language.steps(steps)))
    assert {problem.code for problem in problems} == {code}
    assert language.pointed(problems[0]).startswith(pointed)
    if hint is not None:
        assert problems[0].hint == hint


def test_the_same_mistake_of_every_item_is_said_once(language):
    steps = "- {id: a, for_each: all.vms, gate: {ask: '{{ item.nme }}'}}"
    (problem,) = language.problems(lambda: language.expand(language.steps(steps)))
    assert problem.summary == "vm 'db' has no 'nme'"
    assert problem.detail == "a[db] shows it. So do 2 more."


def test_missing_standing_is_said_in_the_words_of_the_inventory(language):
    text = language.text.replace(
        "          south: {endpoint: ontap-south, svm: s, volume: two_dr, junction: /two}\n", ""
    )
    (problem,) = language.problems(
        lambda: language.expand(
            language.steps(
                PROMOTE.replace("{{ steps.break.outputs.volume }}", "x").replace(
                    "  steps:", "  when: item.target.svm\n  steps:"
                )
            ),
            inventory=text,
        )
    )
    assert problem.summary == "volume 'two' says nothing under at: for south, the target"


def test_an_unknown_site_is_named(language):
    book = language.runbook("phases: [{name: a, steps: []}]", language.head.replace("south", "suoth"))
    (problem,) = language.problems(lambda: language.expand(book))
    assert (problem.summary, problem.hint) == ("no site is called 'suoth'", "Did you mean 'south'?")


def test_all_problems_of_all_steps_are_reported_at_once(language):
    steps = "".join(CHECK % (f"s{index}", "'x'") for index in range(3)) + "- {id: z, uses: no.such}\n"
    codes = [problem.code for problem in language.problems(lambda: language.expand(language.steps(steps)))]
    assert codes == ["wrong-type"] * 3 + ["unknown-uses"]


def test_texts_from_expressions_may_be_read_as_their_field_wants(language):
    steps = '- {id: a, uses: check.tcp, with: {host: h, port: "{{ params.port }}"}}'
    book = language.runbook(
        f"parameters: {{port: {{type: string}}}}\nphases:\n- name: A\n  steps:\n  {steps}\n"
    )
    assert language.expand(book, params={"port": "22"}).steps[0].id == "a"
    (problem,) = language.problems(lambda: language.expand(book, params={"port": "x"}))
    assert language.pointed(problem).startswith('"{{ params.port')
