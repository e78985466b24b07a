"""Logins, links, paging, unknown things, on the wire."""

import pytest


def test_without_or_with_a_wrong_login_nothing_is_answered(lyon):
    for login in ("", "drctl:wrong", f"nobody:{lyon.password}"):
        answer = lyon.call("GET", "/api/cluster", login=login)
        assert answer.status == 401
        assert answer.body["error"]["code"] == "6691623"


def test_expired_credentials(lyon):
    fault = lyon.world.faults.add("auth-expired:ontap-lyon")
    assert lyon.call("GET", "/api/cluster").status == 401
    lyon.world.faults.lift(fault)
    assert lyon.call("GET", "/api/cluster").status == 200


def test_the_read_only_account_reads_and_may_not_change(lyon):
    login = f"{lyon.user}-ro:{lyon.password}"
    uuid = lyon.volume("ris_vm_dr").uuid
    assert lyon.call("GET", f"/api/storage/volumes/{uuid}", login=login).status == 200
    answer = lyon.call("PATCH", f"/api/storage/volumes/{uuid}", {"comment": "x"}, login=login)
    assert (answer.status, answer.body["error"]["code"]) == (403, "6")
    assert lyon.volume("ris_vm_dr").comment != "x"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nonsense", 404, "3"),
        ("GET", "/elsewhere", 404, "3"),
        ("GET", "/api/storage/volumes/none", 404, "4"),
        ("GET", "/api/storage/volumes?colour=red", 400, "262179"),
        ("GET", "/api/storage/volumes?fields=colour", 400, "262179"),
        ("POST", "/api/cluster/jobs", 405, "5"),
        ("DELETE", "/api/storage/volumes", 405, "5"),
        ("PATCH", "/api/storage/volumes/none", 404, "4"),
    ],
)
def test_errors_have_codes_that_are_strings(lyon, method, path, status, code):
    answer = lyon.call(method, path)
    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert answer.body["error"]["message"]


def test_a_body_that_is_no_object(lyon):
    for body in ("{", "[]", '"x"'):
        answer = lyon.call("POST", "/api/storage/volumes", body)
        assert answer.status == 400


def test_links_come_with_hal_and_not_without(lyon):
    with_links = lyon.get("/api/storage/volumes?fields=svm")
    assert with_links["_links"]["self"]["href"] == "/api/storage/volumes?fields=svm"
    assert with_links["records"][0]["svm"]["_links"]["self"]["href"].startswith("/api/svm/svms/")
    plain = lyon.get("/api/storage/volumes?fields=svm", Accept="application/json")
    assert "_links" not in plain
    assert "_links" not in plain["records"][0]["svm"]


def test_the_job_link_comes_whatever_is_accepted(lyon):
    path = f"/api/storage/volumes/{lyon.volume('ris_vm_dr').uuid}"
    answer = lyon.call("PATCH", path, {"comment": "drctl"}, Accept="application/json")
    assert answer.status == 202
    assert lyon.job(answer)["state"] == "success"


def test_pages_hold_every_record_once(lyon):
    whole = [record["uuid"] for record in lyon.records("/api/storage/volumes")]
    found, path = [], "/api/storage/volumes?max_records=1&order_by=name"
    while path:
        page = lyon.get(path)
        assert page["num_records"] == len(page["records"]) <= 1
        found += [record["name"] for record in page["records"]]
        path = page["_links"].get("next", {}).get("href")
    assert found == sorted(found)
    assert len(found) == len(whole) > 2


def test_counting(lyon):
    count = lyon.get("/api/storage/volumes?return_records=false&type=dp")
    assert count == {"num_records": 3}


def test_a_trailing_slash_changes_nothing(lyon):
    assert lyon.get("/api/storage/volumes/")["num_records"] == lyon.get("/api/storage/volumes")["num_records"]


def test_tunnelling_narrows_to_an_svm(lyon):
    for path in ("/api/svm/svms", "/api/storage/volumes", "/api/network/ip/interfaces"):
        whole = lyon.get(path)["num_records"]
        assert lyon.get(path, X_Dot_SVM_Name="svm_dr")["num_records"] == whole > 0
        assert lyon.get(path, X_Dot_SVM_Name="nobody")["num_records"] == 0


def test_fields_that_are_queried_are_shown(lyon):
    for record in lyon.records("/api/storage/volumes?nas.export_policy.name=esx"):
        assert record["nas"] == {"export_policy": {"name": "esx"}}


def test_every_change_is_logged_even_one_that_fails_and_no_read_is(arrays):
    lyon = arrays.lyon
    lyon.get("/api/storage/volumes?fields=*")
    assert arrays.world.estate.mutations == []
    lyon.call("PATCH", "/api/snapmirror/relationships/none", {"state": "paused"})
    mirror = lyon.mirror("svm_dr:ris_vm_dr")
    lyon.call("PATCH", f"/api/snapmirror/relationships/{mirror.uuid}", {"state": "nonsense"})
    log = [(m.site, m.facade, m.call, m.target) for m in arrays.world.estate.mutations]
    assert log == [
        ("lyon", "ontap", "PATCH /snapmirror/relationships", "none"),
        ("lyon", "ontap", "PATCH /snapmirror/relationships", "svm_dr:ris_vm_dr"),
    ]


def test_a_dead_array_does_not_answer_and_counts_the_attempt(arrays):
    arrays.fault("site-down:paris")
    arrays.paris.timeout = 0.3
    with pytest.raises(TimeoutError):
        arrays.paris.call("GET", "/api/cluster")
    assert arrays.world.wait(lambda: arrays.world.estate.connections["paris"] == 1, 5)
