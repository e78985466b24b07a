"""What can go wrong in a failover, in what protects it afterwards, and in the way back out of a stopped move."""

from __future__ import annotations

from typing import Any

import pytest
from fault_estate import COMMANDS, Site
from fault_play import REFUSED, Act, Table, answer_the_question, answer_when_asked, play, undisturbed

from drctl.core.problem import ExitCode


def mend_when_mounted(lab: Any) -> None:
    """Mend a datastore at the array once drctl waits for it: nobody has to resume anything."""
    centre = lab.world.estate.vcenters["vc-paris"]
    lab.world.wait(lambda: any(store.name == "ds_portal" for store in centre.datastores.values()))
    lab.lift("datastore-inaccessible:ds_portal")


SILENT = ("cannot be reached: no answer", "Check the address, the network")
POWER = ("vm[portal-web01].power",)
MOUNTS = ("promote[pacs_images].mount", "promote[portal_vm].mount")

FAILOVER = Table(
    "failover",
    (
        (
            Act("site-partition:lyon", REFUSED, says=SILENT),
            Act("refused:edge-lyon", REFUSED, says=("Connection refused", "its sshd are up")),
            Act("http-500:vc-lyon", REFUSED, says=("its services do not work", "some minutes")),
            Act(
                "tls-expired:ontap-lyon",
                REFUSED,
                says=("it has expired", "Renew the certificate of ontap-lyon"),
            ),
            Act("auth-expired:vc-lyon", REFUSED, says=("refused the login", "Check username and password")),
            Act(
                "junction-busy:svm_dr:*",
                ExitCode.FAILED,
                MOUNTS,
                ("refused to mount svm_dr:", "is busy"),
                again=("PATCH /storage/volumes",),
            ),
            Act(
                "job-failed:volumes",
                ExitCode.FAILED,
                MOUNTS,
                ("refused to mount svm_dr:", "The job was stopped"),
                again=("PATCH /storage/volumes",),
            ),
            Act(
                "datastore-inaccessible:*",
                ExitCode.FAILED,
                ("datastore[ds_portal]",),
                ("inaccessible → readWrite", "then retry this step"),
            ),
            Act(
                "register-duplicate:*",
                ExitCode.FAILED,
                ("vm[portal-web01].register",),
                ("already exists", "rename or unregister it"),
                again=("RegisterVM_Task",),
            ),
            Act("site-down:lyon", ExitCode.FAILED, ("vm[portal-web01].register",), SILENT),
            Act(
                "vm-question:*:once",
                ExitCode.INDETERMINATE,
                POWER,
                ("the VM asks", "has locked the CD-ROM door"),
                mend=answer_the_question,
            ),
            Act(
                "dns-refused:dns-main",
                ExitCode.FAILED,
                ("dns[portal]",),
                ("the primary refused", "allow-update"),
                again=("UPDATE",),
            ),
            Act(
                "tsig-bad-key:dns-main",
                ExitCode.FAILED,
                ("dns[portal]",),
                ("by another secret or algorithm", "both clocks"),
                again=("UPDATE",),
            ),
            Act("dns-stale-secondary", ExitCode.FAILED, ("dns[portal]",), ("still the old answer",)),
            Act(
                "ssh-host-key-changed:edge-lyon",
                ExitCode.FAILED,
                ("site",),
                ("another host key", "Find out which"),
            ),
            Act(
                "ssh-hang:edge-lyon",
                ExitCode.FAILED,
                ("site",),
                ("edge-lyon cannot read", "no answer within 1 s", "Look at the host"),
            ),
            Act("app-degraded:portal", ExitCode.FAILED, ("home[home]",), ("status 503, expected 200",)),
        ),
        (
            Act(
                "job-failed:relationships",
                ExitCode.FAILED,
                ("promote[pacs_images].break", "promote[portal_vm].break"),
                ("refused to break svm_dr:", "The job was stopped"),
                again=("PATCH /snapmirror/",),
            ),
        ),
        (
            Act("vm-stuck-booting:*", ExitCode.FAILED, POWER, ("VMware Tools did not start in time",)),
            Act("slow:ontap-lyon"),
            Act("reply-lost:ontap-lyon:once"),
            Act("reply-lost:vc-lyon:once"),
            Act("reply-lost:dns-main:once"),
            Act("reply-lost:edge-lyon:once"),
            Act("session-expired:vc-lyon"),
            Act("job-forgotten:ontap-lyon"),
            Act("task-queued:vc-lyon"),
            Act("quiesce-stuck:svm_dr:portal_vm_dr"),
            Act("transfer-busy:svm_dr:pacs_images_dr", again=("PATCH /snapmirror/",)),
            Act("aggregate-full:aggr1"),
        ),
        (
            Act("peer-unreachable:ontap-lyon"),
            Act(
                "site-down:paris",
                ExitCode.EXCEPTIONS,
                ("stop[portal-web01]",),
                ("unproven: stop[portal-web01]", "cannot be reached"),
                again=("PATCH /snapmirror/relationships ",),  # first without force, then with it
            ),
        ),
    ),
    {
        "snapshot-locked": "no snapshot is deleted",
        "site-returns-with-autostart": "what starts there after the failover is for reprotect to clear",
    },
)

CLEARED = ("pacs.alias[NAS-PACS]", "portal.off[portal-web01]")
UNTOUCHED = ("pacs.alias[NAS-PACS]", "portal.unmount[portal_vm]")
REVERSED = ("pacs.reverse[pacs_images]", "portal.reverse[portal_vm]")

REPROTECT = Table(
    "reprotect",
    (
        (
            Act(
                "site-down:paris",
                ExitCode.EXCEPTIONS,
                CLEARED,
                ("vc-paris", *SILENT),
                lift="site-returns-with-autostart:paris",
            ),
            Act("site-partition:paris", ExitCode.EXCEPTIONS, CLEARED, SILENT),
            Act("refused:ontap-paris", ExitCode.EXCEPTIONS, UNTOUCHED, ("connection refused",)),
            Act(
                "junction-busy:svm_prod:*",
                ExitCode.EXCEPTIONS,
                ("pacs.unmount[pacs_images]", "portal.unmount[portal_vm]"),
                ("is busy",),
                ("PATCH /storage/volumes",),
            ),
        ),
        (
            Act(
                "auth-expired:ontap-lyon",
                REFUSED,
                says=("how replication was set", "is not known", "User is not authorized", "Then once more"),
            ),
            Act("http-500:ontap-lyon:once", REFUSED, says=("how replication was set", "HTTP status 500")),
            Act(
                "tls-expired:ontap-paris",
                ExitCode.EXCEPTIONS,
                UNTOUCHED,
                ("Renew the certificate of ontap-paris",),
            ),
            Act(
                "peer-unreachable:ontap-paris",
                ExitCode.EXCEPTIONS,
                REVERSED,
                ("no peer cluster is available",),
            ),
            Act(
                "job-failed:relationships",
                ExitCode.EXCEPTIONS,
                REVERSED,
                ("The job was stopped",),
                ("DELETE /snapmirror/",),
            ),
        ),
        (
            Act("slow:ontap-paris"),
            Act("reply-lost:ontap-paris:once"),
            Act("reply-lost:ontap-lyon:once"),
            Act("session-expired:vc-paris"),
            Act("job-forgotten:ontap-paris"),
            Act("reply-lost:vc-paris:once"),
            Act("task-queued:vc-paris"),
            Act("datastore-inaccessible:*"),
            Act("aggregate-full:aggr1"),
        ),
    ),
    {
        "vm-stuck-booting": "machines are taken away at the side that is cleared",
        "vm-question": "machines are taken away at the side that is cleared",
        "register-duplicate": "machines are taken away at the side that is cleared",
        "dns-refused": "traffic stays where it is",
        "dns-stale-secondary": "traffic stays where it is",
        "tsig-bad-key": "traffic stays where it is",
        "ssh-host-key-changed": "nobody is logged in to",
        "ssh-hang": "nobody is logged in to",
        "app-degraded": "no service is asked for",
        "transfer-busy": "no mirror stands at the overwritten side before it is reversed",
        "quiesce-stuck": "no mirror stands at the overwritten side before it is reversed",
        "snapshot-locked": "no snapshot is deleted",
    },
)

UNDONE = ("undo.seal[portal_vm].unmount",)

ROLLBACK = Table(
    "rollback",
    (
        (
            Act("site-partition:paris", REFUSED, says=SILENT),
            Act("refused:vc-paris", REFUSED, says=("connection refused", "that the vCenter is up")),
            Act("http-500:ontap-paris", REFUSED, says=("HTTP status 500", "look at the cluster's health")),
            Act("tls-expired:vc-paris", REFUSED, says=("has expired", "Renew the certificate of vc-paris")),
            Act("auth-expired:ontap-paris", REFUSED, says=("Check the endpoint's username and password",)),
            Act(
                "junction-busy:svm_prod:*",
                ExitCode.WAITING,
                UNDONE,
                ("refused to mount svm_prod:portal_vm", "is busy"),
                again=("PATCH /storage/volumes",),
            ),
            Act(
                "job-failed:volumes",
                ExitCode.WAITING,
                UNDONE,
                ("refused to mount svm_prod:portal_vm", "The job was stopped"),
                again=("PATCH /storage/volumes",),
            ),
            Act("site-down:paris", ExitCode.WAITING, UNDONE, SILENT),
            Act(
                "register-duplicate:*",
                ExitCode.WAITING,
                ("undo.unregister[portal-web01]",),
                ("already exists", "rename or unregister it"),
                again=("RegisterVM_Task",),
            ),
            Act("vm-question:*:once", meanwhile=answer_when_asked),
        ),
        (
            Act("site-down:lyon", lift="site-returns-with-autostart:lyon"),
            Act("slow:ontap-paris"),
            Act("reply-lost:ontap-paris:once"),
            Act("reply-lost:vc-paris:once"),
            Act("session-expired:vc-paris"),
            Act("job-forgotten:ontap-paris"),
            Act("task-queued:vc-paris"),
            Act("vm-stuck-booting:portal-web01:once"),
            Act("datastore-inaccessible:ds_portal", meanwhile=mend_when_mounted),
            Act("peer-unreachable:ontap-paris"),
            Act("aggregate-full:aggr1"),
        ),
    ),
    {
        "transfer-busy": "the mirrors are left as they are",
        "quiesce-stuck": "the mirrors are left as they are",
        "snapshot-locked": "no snapshot is deleted",
        "dns-refused": "the move stopped before it changed a record",
        "dns-stale-secondary": "the move stopped before it changed a record",
        "tsig-bad-key": "the move stopped before it changed a record",
        "ssh-host-key-changed": "the move stopped before it logged in anywhere",
        "ssh-hang": "the move stopped before it logged in anywhere",
        "app-degraded": "no service is asked for",
    },
)

TABLES = (FAILOVER, REPROTECT, ROLLBACK)


def stop_a_move(site: Site) -> None:
    """Begin another story: a move that stopped halfway through its source."""
    site.fresh()
    site.lab.fault("junction-busy:svm_prod:pacs_images")
    stopped = site.drctl(*COMMANDS["switchover"])
    assert stopped.status == ExitCode.FAILED, str(stopped)
    site.lab.lift("junction-busy:svm_prod:pacs_images")


@pytest.fixture(scope="module")
def models(site: Site):
    site.fresh()
    found = {table.verb: undisturbed(site, table.verb) for table in (FAILOVER, REPROTECT)}
    stop_a_move(site)
    return {**found, "rollback": undisturbed(site, "rollback")}


@pytest.mark.parametrize("lap", range(len(FAILOVER.rounds)))
def test_lost_taken_over_and_protected_again(site: Site, models, lap: int) -> None:
    site.fresh()
    wrong = [
        line
        for one in (FAILOVER, REPROTECT)
        for line in play(site, one.verb, one.acts(lap), models[one.verb])
    ]
    assert wrong == []


@pytest.mark.parametrize("lap", range(len(ROLLBACK.rounds)))
def test_a_stopped_move_is_taken_back(site: Site, models, lap: int) -> None:
    stop_a_move(site)
    assert play(site, "rollback", ROLLBACK.acts(lap), models["rollback"]) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.verb)
def test_no_fault_of_the_lab_is_forgotten(table: Table) -> None:
    assert table.misplaced() == {}
