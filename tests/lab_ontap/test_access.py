"""Exports, shares, aliases, SVMs and LIFs: what makes a volume reachable."""

import pytest


@pytest.fixture
def policy(lyon):
    answer = lyon.call("POST", "/api/protocols/nfs/export-policies", {"name": "clinic", "svm.name": "svm_dr"})
    assert answer.status == 201
    return answer.headers["Location"]


def rule(**more):
    return {"clients": [{"match": "198.51.100.31"}], "ro_rule": ["sys"], "rw_rule": ["sys"], **more}


def test_a_policy_and_its_rules_from_birth_to_end(lyon, policy):
    number = int(policy.rsplit("/", 1)[1])
    assert lyon.get(policy)["id"] == number
    answer = lyon.call("POST", f"{policy}/rules?return_records=true", rule(superuser=["sys"]))
    assert answer.status == 201
    assert answer.body["num_records"] == 1
    where = answer.headers["Location"]
    assert lyon.get(where)["clients"] == [{"match": "198.51.100.31"}]
    assert lyon.get(where)["index"] == 1
    changed = lyon.call("PATCH", where, {"clients": [{"match": "198.51.100.0/24"}], "superuser": "any"})
    assert changed.status == 200
    seen = lyon.get(f"{policy}?fields=rules")["rules"][0]
    assert (seen["clients"], seen["superuser"], seen["rw_rule"]) == (
        [{"match": "198.51.100.0/24"}],
        ["any"],
        ["sys"],
    )
    assert lyon.call("DELETE", where, {}).status == 200
    assert lyon.records(f"{policy}/rules") == []
    assert lyon.call("DELETE", policy, {}).status == 200
    assert lyon.call("GET", policy).status == 404


def test_a_rule_needs_clients_and_security_types(lyon, policy):
    for body in ({"ro_rule": ["sys"], "rw_rule": ["sys"]}, {"clients": [{"match": "0.0.0.0/0"}]}):
        assert lyon.call("POST", f"{policy}/rules", body).status == 400


def test_a_missing_policy_has_its_own_code(lyon):
    answer = lyon.call("POST", "/api/protocols/nfs/export-policies/1/rules", rule())
    assert (answer.status, answer.body["error"]["code"]) == (404, "1703954")


def test_a_second_policy_of_one_name_is_refused(lyon, policy):
    answer = lyon.call(
        "POST", "/api/protocols/nfs/export-policies", {"name": "clinic", "svm": {"name": "svm_dr"}}
    )
    assert (answer.status, answer.body["error"]["code"]) == (409, "1")


def test_policies_of_one_svm(lyon):
    found = lyon.records("/api/protocols/nfs/export-policies?svm.name=svm_dr&name=default&fields=rules")
    assert len(found) == 1
    assert found[0]["svm"]["name"] == "svm_dr"


def test_a_share_and_its_acl(lyon):
    svm = lyon.cluster.svms["svm_dr"]
    body = {"svm.name": "svm_dr", "name": "IMAGES", "path": "/"}
    made = lyon.call("POST", "/api/protocols/cifs/shares", body)
    assert made.status == 201
    assert made.headers["Location"] == f"/api/protocols/cifs/shares/{svm.uuid}/IMAGES"
    acls = f"{made.headers['Location']}/acls"
    who = r"TELERADIO\pacs-service"
    answer = lyon.call("POST", acls, {"user_or_group": who, "type": "windows", "permission": "full_control"})
    assert answer.status == 201
    assert lyon.call("POST", acls, {"user_or_group": who, "permission": "read"}).body["error"]["code"] == "1"
    one = answer.headers["Location"]
    assert lyon.call("PATCH", one, {"permission": "read"}).status == 200
    assert lyon.get(one)["permission"] == "read"
    assert lyon.call("DELETE", f"{acls}/Everyone/windows", {}).status == 200
    assert [(r["user_or_group"], r["permission"]) for r in lyon.records(f"{acls}?fields=*")] == [
        (who, "read")
    ]
    bad = lyon.call("PATCH", one, {"permission": "everything"})
    assert (bad.status, bad.body["error"]["target"]) == (400, "permission")


def test_a_share_on_a_path_that_is_not_there(lyon):
    body = {"svm.name": "svm_dr", "name": "X", "path": "/nowhere"}
    answer = lyon.call("POST", "/api/protocols/cifs/shares", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "655551")


def test_aliases_of_a_server(lyon):
    svm = lyon.cluster.svms["svm_dr"]
    service = f"/api/protocols/cifs/services/{svm.uuid}"
    assert lyon.call("PATCH", service, {"netbios": {"aliases": ["NAS-PACS"]}}).status in {200, 202}
    assert lyon.get(f"{service}?fields=netbios.aliases")["netbios"]["aliases"] == ["NAS-PACS"]
    names = [r["name"] for r in lyon.records("/api/protocols/cifs/netbios")]
    assert "NAS-PACS" in names
    assert lyon.get("/api/protocols/cifs/sessions")["num_records"] == 0


def test_a_server_is_found_by_its_svm(lyon):
    found = lyon.records("/api/protocols/cifs/services?svm.name=svm_dr&fields=enabled,ad_domain.fqdn")[0]
    assert found["enabled"] is True
    assert found["ad_domain"]["fqdn"]


def test_an_svm_stops_and_starts_by_a_job(lyon):
    path = f"/api/svm/svms/{lyon.cluster.svms['svm_dr'].uuid}"
    for state in ("stopped", "running"):
        answer = lyon.call("PATCH", path, {"state": state})
        assert answer.status == 202
        assert lyon.job(answer)["state"] == "success"
        assert lyon.get(f"{path}?fields=state")["state"] == state


def test_waiting_for_a_job_gives_200_and_still_the_link(lyon):
    path = f"/api/svm/svms/{lyon.cluster.svms['svm_dr'].uuid}?return_timeout=30"
    answer = lyon.call("PATCH", path, {"state": "stopped"})
    assert answer.status == 200
    assert lyon.get(answer.body["job"]["_links"]["self"]["href"])["state"] == "success"


def test_a_lif_goes_down_and_up_without_a_job(lyon):
    lif = lyon.records("/api/network/ip/interfaces?svm.name=svm_dr")[0]
    path = f"/api/network/ip/interfaces/{lif['uuid']}"
    for enabled, state in ((False, "down"), (True, "up")):
        answer = lyon.call("PATCH", path, {"enabled": str(enabled).lower()})
        assert (answer.status, answer.body) == (200, {})
        assert lyon.get(f"{path}?fields=enabled,state")["state"] == state
    refused = lyon.call("PATCH", path, {"location.is_home": False})
    assert refused.body["error"]["code"] == "1967389"
    read_only = lyon.call("PATCH", path, {"state": "down"})
    assert read_only.body["error"]["code"] == "262196"
    unknown = lyon.call("PATCH", path, {"colour": "red"})
    assert unknown.body["error"]["code"] == "262179"
    assert lyon.call("PATCH", path, {"name": lif["name"], "enabled": True}).status == 200


def test_svm_peers_hang_while_the_peer_site_is_dead(arrays):
    lyon = arrays.lyon
    peer = lyon.records("/api/svm/peers?name=svm_prod&svm.name=svm_dr&fields=peer")[0]
    assert peer["peer"]["svm"]["name"] == "svm_prod"
    assert peer["peer"]["cluster"]["name"] == arrays.paris.cluster.name
    arrays.fault("site-down:paris")
    answer = lyon.call("GET", "/api/svm/peers?name=svm_prod&svm.name=svm_dr&fields=peer")
    assert (answer.status, answer.body["error"]["code"]) == (500, "262224")
    assert lyon.get("/api/svm/peers?name=other")["num_records"] == 0
    assert lyon.records("/api/cluster/peers?fields=status")[0]["status"]["state"] == "unavailable"


def test_the_clock_of_the_array(lyon):
    clock = lyon.records("/api/storage/snaplock/compliance-clocks")[0]
    assert clock["time"].startswith("20")
    assert lyon.get("/api/cluster?fields=version")["version"].keys() == {
        "full",
        "generation",
        "major",
        "minor",
    }
