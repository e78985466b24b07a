from __future__ import annotations

from pathlib import Path

import pytest

from drctl.core.secret import Secret
from drctl.inventory.load import load_inventory, parse_inventory


def test_the_shipped_inventory_loads(language, root):
    inventory = load_inventory(root / "inventories" / "lab.yaml", language.registry)
    assert inventory.orders == {"directory": 0, "ris": 1, "pacs": 2, "portal": 3}
    assert inventory.endpoints["ontap-lyon"][0] == "ontap"
    assert inventory.endpoints["ontap-lyon"][1].site == "lyon"
    assert ("ontap-lyon", Secret("env", "LAB_ONTAP_LYON")) in inventory.secrets()
    assert ("dns-main", Secret("env", "LAB_DNS_TSIG")) in inventory.secrets()


def test_paths_count_from_the_inventory(language):
    edge = language.inventory(folder=Path("/estate")).endpoint("edge")
    assert str(edge.key_file) == "/estate/keys/id"
    assert str(edge.known_hosts) == "/estate/keys/known"


def test_a_copy_elsewhere_means_the_same(language, tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(language.text)
    here = load_inventory(path, language.registry)
    copy = parse_inventory(here.text, "copy.yaml", tmp_path, language.registry)
    assert copy.endpoints == here.endpoints
    assert copy.digest() == here.digest()


def test_secrets_are_resolved_by_the_given_resolver_only_when_asked(language):
    asked = []

    def resolve(kind: str, place: str) -> str:
        asked.append((kind, place))
        return "value"

    inventory = parse_inventory(language.text, "i", Path(), language.registry, resolve)
    secret = inventory.endpoint("ontap-north").password
    assert asked == []
    assert secret.reveal() == "value"
    assert asked == [("env", "NORTH")]
    assert "value" not in repr(inventory)


CHANGES = [
    ("type: ssh, site: south", "type: shh, site: south", "unknown-provider", "shh", "Did you mean 'ssh'?"),
    ("{type: ssh, site: south", "{site: south", "missing-key", "edge", ""),
    ("type: ssh, site: south", "type: ssh, site: suoth", "unknown-site", "suoth", "Did you mean 'south'?"),
    ("type: ssh, site: south", "type: check, site: south", "endpoint", "check", "Remove this endpoint."),
    ("type: ssh,", "type: ssh, name: x,", "unknown-key", "name", ""),
    ("username: drctl, key_file", "usrname: drctl, key_file", "unknown-key", "usrname", "Did you mean 'username'?"),
    ("password: {env: NORTH}}", "password: hunter2}", "wrong-value", "hunter2", ""),
    ("username: drctl, key_file", "username: {env: X}, key_file", "wrong-type", "{env: X}", ""),
    ("Europe/Paris}", "Paris}", "timezone", "Paris", "Write it as Europe/Paris."),
    ("depends_on: [base]", "depends_on: [bas]", "unknown-service", "bas]", "Did you mean 'base'?"),
    ("depends_on: [base]", "depends_on: [app]", "cycle", "[app]", ""),
    ("volume: one\n", "volume: on\n", "unknown-volume", "on", "Did you mean 'one'?"),
    ("datastore: ds\n", "datastore: dds\n", "unknown-datastore", "dds", "Did you mean 'ds'?"),
    ("vmx: db/db.vmx", "vmx: db/db.vmx\n        also_on: [x]", "unknown-datastore", "x]", "Known: ds."),
    ("north: {endpoint: ontap-north, svm: n, volume: one", "north: {endpoint: ontap-nort, svm: n, volume: one", "unknown-endpoint", "ontap-nort,", "Did you mean 'ontap-north'?"),
    ("north: {endpoint: ontap-north, svm: n, volume: one", "north: {endpoint: vc-north, svm: n, volume: one", "endpoint-type", "vc-north", ""),
    ("north: {endpoint: ontap-north, svm: n, volume: one", "north: {endpoint: ontap-south, svm: n, volume: one", "endpoint-site", "ontap-south", ""),
    ("volume: one, junction: /one", "volume: one", "datastore-path", "{endpoint: vc-north", "Give the volume a junction there, or the datastore a path."),
    ("junction: /one", "junction: one", "wrong-value", "one", ""),
    ("name: web", "name: db", "duplicate-name", "db", "The other is at line 39."),
    ("name: two\n", "name: one\n", "duplicate-name", "one", "The other is at line 22."),
    ("uses: check.tcp", "uses: check.tpc", "unknown-uses", "check.tpc", "Did you mean 'check.tcp'?"),
    ("port: 22}", "prt: 22}", "unknown-key", "prt", "Did you mean 'port'?"),
    ("port: 22}", "port: '22'}", "wrong-type", "'22'", "Without quotes: whole numbers, decimals, true and false; nothing else is converted."),
    ("contacts:", "bubble: {nort: {networks: x, folder: y}}\ncontacts:", "unknown-site", "nort", "Did you mean 'north'?"),
    ("contacts:", "bubble: {north: {networks: x, folder: y, via: z}}\ncontacts:", "unknown-endpoint", "z}", ""),
    ("priority: 1", "priority: high", "wrong-type", "high", "Without quotes: whole numbers, decimals, true and false; nothing else is converted."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "pointed", "hint"), CHANGES)
def test_one_thing_wrong(language, old, new, code, pointed, hint):
    text = language.text.replace(old, new, 1)
    assert text != language.text
    problems = language.problems(lambda: language.inventory(text))
    found = {problem.code: problem for problem in problems}
    assert code in found
    assert language.pointed(found[code]).startswith(pointed)
    if hint:
        assert found[code].hint == hint


def test_references_and_shapes_are_reported_together(language):
    text = language.text.replace("site: south, host: 198.51.100.13", "site: west, hst: x").replace(
        "[base]", "[bas]"
    )
    codes = [problem.code for problem in language.problems(lambda: language.inventory(text))]
    assert sorted(codes) == ["missing-key", "unknown-key", "unknown-service", "unknown-site"]


def test_a_secret_in_the_wrong_place_is_said_so(language):
    text = language.text.replace("username: drctl, key_file", "username: {env: X}, key_file")
    (problem,) = language.problems(lambda: language.inventory(text))
    assert "a secret is allowed only in" in problem.summary


def test_a_volume_must_stand_where_its_datastore_does(language):
    text = language.text.replace(
        "south: {endpoint: vc-south, nfs", "vault: {endpoint: vc-south, nfs"
    ).replace(", path: /elsewhere", "")
    found = {problem.code for problem in language.problems(lambda: language.inventory(text))}
    assert found == {"endpoint-site", "datastore-site", "vm-site"}


def test_the_lab_section_is_free(language):
    inventory = language.inventory(language.text + "lab: {anything: [{goes: 1}]}\n")
    assert inventory.lab == {"anything": [{"goes": 1}]}
