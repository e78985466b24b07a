"""What can go wrong in a drill and in its cleanup: each ends in a clear state, goes on, and leaves nothing."""

from __future__ import annotations

import pytest
from fault_estate import Site
from fault_play import REFUSED, Act, Table, answer_the_question, play, undisturbed

from drctl.core.problem import ExitCode

SILENT = ("cannot be reached: no answer", "Check the address, the network")
EXPIRED = ("it has expired", "Renew the certificate of ontap-lyon")
NOT_IN_A_BUBBLE = "a bubble has no names, no mirrors and no shares of its own"

DRILL = Table(
    "drill",
    (
        (
            Act("site-down:lyon", REFUSED, says=SILENT, lift="site-returns-with-autostart:lyon"),
            Act("site-partition:lyon", REFUSED, says=SILENT),
            Act("refused:vc-lyon", REFUSED, says=("vc-lyon", "connection refused", "that the vCenter is up")),
            Act("http-500:ontap-lyon", REFUSED, says=("HTTP status 500", "look at the cluster's health")),
            Act("http-500:vc-lyon", REFUSED, says=("its services do not work", "some minutes")),
            Act("tls-expired:ontap-lyon", REFUSED, says=EXPIRED),
            Act(
                "tls-expired:vc-lyon",
                REFUSED,
                says=("certificate has expired", "Renew the certificate of vc-lyon"),
            ),
            Act("auth-expired:vc-lyon", REFUSED, says=("refused the login", "Check username and password")),
            Act("aggregate-full:aggr1", REFUSED, says=("0.0 % free, wanted are 5 %", "Free or add space")),
            Act("tsig-bad-key:dns-main", REFUSED, says=("by another secret or algorithm",)),
            Act("ssh-host-key-changed:edge-lyon", REFUSED, says=("another host key", "Find out which")),
            Act(
                "job-failed:volumes",
                ExitCode.FAILED,
                ("promote[pacs_images].break", "promote[portal_vm].break"),
                ("refused to clone svm_dr:", "The job was stopped"),
                again=("POST /storage/volumes",),
            ),
            Act(
                "junction-busy:svm_dr:*_drill",
                ExitCode.FAILED,
                ("promote[pacs_images].mount", "promote[portal_vm].mount"),
                ("at /drill_p", "is busy"),
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
            Act(
                "auth-expired:vc-lyon",
                ExitCode.FAILED,
                ("vm[portal-web01].register",),
                ("refused the login",),
            ),
            Act("site-down:lyon", ExitCode.FAILED, ("vm[portal-web01].register",), SILENT),
            Act(
                "vm-question:*:once",
                ExitCode.INDETERMINATE,
                ("vm[portal-web01].power",),
                ("the VM asks", "has locked the CD-ROM door"),
                mend=answer_the_question,
            ),
            Act(
                "auth-expired:edge-bubble-lyon", ExitCode.FAILED, ("home[home]",), ("refuses drctl with key",)
            ),
            Act("app-degraded:portal", ExitCode.FAILED, ("home[home]",), ("status 503, expected 200",)),
        ),
        (
            Act(
                "vm-stuck-booting:*",
                ExitCode.FAILED,
                ("vm[portal-web01].power",),
                ("is on, but VMware Tools did not start in time",),
            ),
            Act("slow:ontap-lyon"),
            Act("reply-lost:ontap-lyon:once"),
            Act("reply-lost:vc-lyon:once"),
            Act("session-expired:vc-lyon"),
            Act("job-forgotten:ontap-lyon"),
            Act("task-queued:vc-lyon"),
            Act("peer-unreachable:ontap-lyon"),
            Act("site-partition:paris/lyon"),
            Act("site-down:paris", lift="site-returns-with-autostart:paris"),
            Act("transfer-busy:svm_dr:portal_vm_dr"),
        ),
    ),
    {
        "quiesce-stuck": "no mirror is quiesced: clones are made of what has arrived",
        "snapshot-locked": "no snapshot is deleted",
        "ssh-hang": "no command runs: checks go through the bubble's way in as tunnels",
        "dns-refused": "records are not exercised",
        "dns-stale-secondary": "records are not exercised",
    },
)

UNMOUNTED = ("undo.promote[pacs_images].mount", "undo.promote[portal_vm].mount")

CLEANUP = Table(
    "cleanup",
    (
        (
            Act("site-down:lyon", REFUSED, says=SILENT, lift="site-returns-with-autostart:lyon"),
            Act("site-partition:lyon", REFUSED, says=SILENT),
            Act("refused:vc-lyon", REFUSED, says=("connection refused",)),
            Act("http-500:ontap-lyon", REFUSED, says=("HTTP status 500",)),
            Act("tls-expired:ontap-lyon", REFUSED, says=EXPIRED),
            Act("auth-expired:vc-lyon", REFUSED, says=("refused the login",)),
            Act(
                "junction-busy:svm_dr:*_drill",
                ExitCode.WAITING,
                UNMOUNTED,
                ("is busy",),
                again=("PATCH /storage/volumes",),
            ),
            Act(
                "job-failed:volumes",
                ExitCode.WAITING,
                UNMOUNTED,
                ("The job was stopped",),
                again=("PATCH /storage/volumes",),
            ),
            Act("site-down:lyon", ExitCode.WAITING, UNMOUNTED, SILENT),
        ),
        (
            Act("slow:ontap-lyon"),
            Act("reply-lost:ontap-lyon:once"),
            Act("reply-lost:vc-lyon:once"),
            Act("session-expired:vc-lyon"),
            Act("job-forgotten:ontap-lyon"),
            Act("task-queued:vc-lyon"),
            Act("peer-unreachable:ontap-lyon"),
            Act("site-partition:paris/lyon"),
            Act("site-down:paris", lift="site-returns-with-autostart:paris"),
            Act("datastore-inaccessible:*"),
            Act("aggregate-full:aggr1"),
        ),
    ),
    {
        "transfer-busy": "no mirror is touched",
        "quiesce-stuck": "no mirror is touched",
        "snapshot-locked": "clones go with their snapshots; none is deleted by itself",
        "vm-stuck-booting": "machines are powered off",
        "vm-question": "machines are powered off",
        "register-duplicate": "machines are unregistered",
        "dns-refused": "a drill changes no record",
        "dns-stale-secondary": "a drill changes no record",
        "tsig-bad-key": "a drill changes no record",
        "ssh-host-key-changed": "nothing is done through a login: a drill's commands are not exercised",
        "ssh-hang": "nothing is done through a login: a drill's commands are not exercised",
        "app-degraded": "no service is asked for",
    },
)


@pytest.fixture(scope="module")
def models(site: Site):
    site.fresh()
    return {verb: undisturbed(site, verb) for verb in ("drill", "cleanup")}


@pytest.mark.parametrize("lap", range(len(DRILL.rounds)))
def test_a_drill_and_its_cleanup_stand_every_fault(site: Site, models, lap: int) -> None:
    site.fresh()
    wrong = [
        line for one in (DRILL, CLEANUP) for line in play(site, one.verb, one.acts(lap), models[one.verb])
    ]
    assert wrong == []


@pytest.mark.parametrize("table", [DRILL, CLEANUP], ids=lambda table: table.verb)
def test_no_fault_of_the_lab_is_forgotten(table: Table) -> None:
    assert table.misplaced() == {}
