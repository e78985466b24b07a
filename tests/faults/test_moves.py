"""What can go wrong on a planned move, there and home again."""

from __future__ import annotations

import pytest
from fault_estate import Site
from fault_play import REFUSED, Act, Table, answer_the_question, play, undisturbed

from drctl.core.problem import ExitCode

SILENT = ("cannot be reached: no answer", "Check the address, the network")
TRANSFERS = ("seal[pacs_images].transfer", "seal[portal_vm].transfer")
UNMOUNTS = ("seal[pacs_images].unmount", "seal[portal_vm].unmount")
BREAKS = ("promote[pacs_images].break", "promote[portal_vm].break")
MOUNTS = ("promote[pacs_images].mount", "promote[portal_vm].mount")
POWER = ("vm[portal-web01].power",)


def move(here: str, there: str) -> tuple[tuple[Act, ...], ...]:
    """What a planned move from one site to the other must stand: the same both ways."""
    svms = {"paris": "svm_prod", "lyon": "svm_dr"}
    source, target = svms[here], svms[there]
    return (
        (
            Act(f"site-down:{here}", REFUSED, says=SILENT, lift=f"site-returns-with-autostart:{here}"),
            Act(f"site-partition:{there}", REFUSED, says=SILENT),
            Act(f"refused:vc-{here}", REFUSED, says=("connection refused", "that the vCenter is up")),
            Act(f"http-500:ontap-{here}", REFUSED, says=("HTTP status 500", "look at the cluster's health")),
            Act(
                f"tls-expired:vc-{there}",
                REFUSED,
                says=("has expired", f"Renew the certificate of vc-{there}"),
            ),
            Act(f"auth-expired:ontap-{here}", REFUSED, says=("Check the endpoint's username and password",)),
            Act("aggregate-full:aggr1", REFUSED, says=("0.0 % free, wanted are 5 %", "Free or add space")),
            Act(
                f"junction-busy:{source}:*",
                ExitCode.FAILED,
                UNMOUNTS,
                (f"refused to unmount {source}:", "is busy"),
                again=("PATCH /storage/volumes",),
            ),
            Act(
                f"peer-unreachable:ontap-{there}",
                ExitCode.FAILED,
                TRANSFERS,
                ("ended as failed", "Failed to contact peer cluster"),
                again=("POST /snapmirror/relationships/{relationship.uuid}/transfers",),
            ),
            Act(
                f"transfer-busy:{target}:*",
                ExitCode.INDETERMINATE,
                TRANSFERS,
                ("in time", "is still running"),
            ),
            Act(
                "job-failed:volumes",
                ExitCode.FAILED,
                MOUNTS,
                (f"refused to mount {target}:",),
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
            Act(f"site-down:{there}", ExitCode.FAILED, ("vm[portal-web01].register",), SILENT),
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
            Act("app-degraded:portal", ExitCode.FAILED, ("home[home]",), ("expected 200",)),
        ),
        (
            Act(
                "vm-stuck-booting:*",
                ExitCode.FAILED,
                POWER,
                ("is on, but VMware Tools did not start in time",),
            ),
            Act(f"slow:ontap-{there}"),
            Act(f"reply-lost:ontap-{here}:once"),
            Act(f"reply-lost:ontap-{there}:once"),
            Act(f"reply-lost:vc-{here}:once"),
            Act(f"reply-lost:vc-{there}:once"),
            Act("reply-lost:dns-main:once"),
            Act("reply-lost:edge-lyon:once"),
            Act(f"session-expired:vc-{there}"),
            Act(f"quiesce-stuck:{target}:portal_vm*"),
            Act(f"job-forgotten:ontap-{there}"),
            Act(f"task-queued:vc-{there}"),
        ),
    )


PLANNED = {"snapshot-locked": "no snapshot is deleted by a step; the array rotates its own"}

SWITCHOVER = Table("switchover", move("paris", "lyon"), PLANNED)
FAILBACK = Table("failback", move("lyon", "paris"), PLANNED)

TABLES = (SWITCHOVER, FAILBACK)
CIRCLE = (SWITCHOVER, Table("reprotect", (), {}), FAILBACK)
"""The protection in between is left in peace: test_emergency strikes it where it has more to do."""


@pytest.fixture(scope="module")
def models(site: Site):
    site.fresh()
    return {table.verb: undisturbed(site, table.verb) for table in CIRCLE}


@pytest.mark.parametrize("lap", range(len(SWITCHOVER.rounds)))
def test_there_protected_and_home_again_whatever_strikes(site: Site, models, lap: int) -> None:
    site.fresh()
    wrong = [line for one in CIRCLE for line in play(site, one.verb, one.acts(lap), models[one.verb])]
    assert wrong == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.verb)
def test_no_fault_of_the_lab_is_forgotten(table: Table) -> None:
    assert table.misplaced() == {}
