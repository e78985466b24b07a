"""NetApp's own Python client drives the façade."""

import pytest
from netapp_ontap import HostConnection, NetAppRestError
from netapp_ontap.resources import (
    Aggregate,
    CifsService,
    CifsShare,
    Cluster,
    ClusterPeer,
    EmsEvent,
    ExportPolicy,
    ExportRule,
    IpInterface,
    Job,
    Node,
    SnaplockComplianceClock,
    SnapmirrorPolicy,
    SnapmirrorRelationship,
    SnapmirrorTransfer,
    Snapshot,
    Svm,
    SvmPeer,
    Volume,
)

# The client's own models use what marshmallow 4 will change; it pins marshmallow 3.
pytestmark = pytest.mark.filterwarnings("ignore::marshmallow.warnings.ChangedInMarshmallow4Warning")

DESTINATION = "svm_dr:ris_vm_dr"


@pytest.fixture
def connect(monkeypatch):
    # These variables would win over the connection's own CA file.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    opened = []

    def open_one(array, **more):
        given = {"username": array.user, "password": array.password, "verify": str(array.ca_file), **more}
        connection = HostConnection(array.host, port=array.port, poll_interval=0.01, poll_timeout=30, **given)
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        connection.session.close()


@pytest.fixture
def connection(connect, lyon):
    with connect(lyon) as connection:
        yield connection


def relationship(connection):
    return SnapmirrorRelationship.find(connection=connection, **{"destination.path": DESTINATION})


def test_the_cluster_says_its_release(connection):
    cluster = Cluster()
    cluster.get(fields="version")
    assert cluster.version.generation == 9


def test_a_listing_page_by_page(connection):
    pages = list(Volume.get_collection(connection=connection, max_records=1, fields="name,svm.name"))
    assert len(pages) == len({volume.uuid for volume in pages}) == Volume.count_collection()


def test_times_and_durations_come_back_as_values(connection):
    found = relationship(connection)
    assert found.state == "snapmirrored"
    assert found.healthy is True
    assert found.transfer.state == "success"
    assert "T" in found.lag_time
    snapshots = list(
        Snapshot.get_collection(
            Volume.find(name="ris_vm_dr").uuid, name=found.exported_snapshot, fields="create_time"
        )
    )
    assert snapshots[0].create_time.tzinfo is not None


def test_quiesce_break_and_resync(connection, lyon):
    uuid = relationship(connection).uuid
    for state in ("paused", "broken_off", "snapmirrored"):
        one = SnapmirrorRelationship(uuid=uuid)
        one.state = state
        one.patch()
    mirror = lyon.mirror(DESTINATION)
    assert lyon.world.wait(lambda: mirror.transfers[-1].ended is not None, 20)
    found = relationship(connection)
    assert (found.state, found.last_transfer_type) == ("snapmirrored", "resync")


def test_a_hydrated_relationship_patched_unchanged_does_no_harm(connection, lyon):
    found = relationship(connection)
    found.state = "snapmirrored"
    found.patch()
    assert lyon.mirror(DESTINATION).state == "snapmirrored"


def test_a_failed_job_loses_its_code_in_the_client_but_not_in_the_record(connection, arrays):
    arrays.fault("site-down:paris")
    one = SnapmirrorRelationship(uuid=arrays.lyon.mirror(DESTINATION).uuid)
    one.state = "broken_off"
    with pytest.raises(NetAppRestError, match="Failed to contact peer cluster") as failed:
        one.patch()
    assert failed.value.status_code is None
    jobs = arrays.lyon.records("/api/cluster/jobs?state=failure&fields=*")
    assert [job["code"] for job in jobs] == [262224]


def test_a_refusal_keeps_status_and_code(connection):
    with pytest.raises(NetAppRestError) as refused:
        Volume(uuid="none").get()
    assert refused.value.status_code == 404
    assert refused.value.http_err_response.http_response.json()["error"]["code"] == "4"


def test_a_wrong_password(connect, lyon):
    with connect(lyon, password="wrong"), pytest.raises(NetAppRestError) as refused:
        Cluster().get()
    assert refused.value.status_code == 401


def test_a_transfer_is_followed_by_its_record(connection, lyon):
    mirror = lyon.mirror(DESTINATION)
    transfer = SnapmirrorTransfer(mirror.uuid)
    transfer.post(hydrate=True)
    assert transfer.state in {"queued", "transferring"}
    transfer.state = "aborted"
    transfer.patch()
    assert lyon.world.wait(lambda: mirror.transfers[-1].ended is not None, 20)
    transfer.get()
    assert transfer.state == "aborted"


def test_a_clone_mounts_and_goes(connection, lyon):
    clone = Volume(name="probe", svm={"name": "svm_dr"})
    clone.clone = {"is_flexclone": True, "parent_volume": {"name": "ris_db_dr"}}
    clone.nas = {"path": "/probe"}
    clone.post(hydrate=True)
    clone.get(fields="nas.path,clone")
    assert clone.nas.path == "/probe"
    assert clone.clone.parent_volume.name == "ris_db_dr"
    clone.delete()
    assert Volume.find(name="probe") is None


def test_exports_shares_lifs_and_svms(connection):
    policy = ExportPolicy(name="clinic", svm={"name": "svm_dr"})
    policy.post(hydrate=True)
    rule = ExportRule(policy.id)
    rule.clients, rule.ro_rule, rule.rw_rule = [{"match": "0.0.0.0/0"}], ["sys"], ["sys"]
    rule.post(hydrate=True)
    assert rule.index == 1
    rule.delete()
    policy.delete()
    share = CifsShare(name="HOME", path="/", svm={"name": "svm_dr"})
    share.post(hydrate=True)
    share.get()
    assert share.acls[0].user_or_group == "Everyone"
    lif = next(IpInterface.get_collection(**{"svm.name": "svm_dr"}))
    lif.get()
    lif.enabled = False
    lif.patch()
    lif.get()
    assert lif.state == "down"
    svm = Svm.find(name="svm_dr")
    svm.state = "stopped"
    svm.patch()
    svm.get()
    assert svm.state == "stopped"


def test_reading_everything_fits_the_clients_schemas(connection, arrays):
    arrays.fault("peer-unreachable:ontap-lyon")
    resources = [
        Aggregate,
        CifsService,
        CifsShare,
        ClusterPeer,
        EmsEvent,
        ExportPolicy,
        IpInterface,
        Job,
        Node,
        SnaplockComplianceClock,
        SnapmirrorPolicy,
        SnapmirrorRelationship,
        Svm,
        SvmPeer,
        Volume,
    ]
    parent = Volume.find(name="ris_db_dr")
    clone = Volume(name="probe", svm={"name": "svm_dr"})
    clone.clone = {"is_flexclone": True, "parent_volume": {"name": "ris_db_dr"}}
    clone.post(hydrate=True)
    clone.state = "offline"
    clone.patch()
    CifsShare(name="HOME", path="/", svm={"name": "svm_dr"}).post()
    for resource in resources:
        records = list(resource.get_collection(fields="**"))
        assert records, f"{resource.__name__} has nothing to show"
        for record in records:
            if resource is not EmsEvent:  # events can only be listed
                record.get()
            assert record.to_dict()
    uuid = arrays.lyon.mirror(DESTINATION).uuid
    assert [t.state for t in SnapmirrorTransfer.get_collection(uuid, fields="**")]
    assert list(Snapshot.get_collection(parent.uuid, fields="**"))
