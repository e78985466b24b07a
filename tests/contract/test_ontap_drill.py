"""What ONTAP steps do in a drill: copies under the bubble's names, production and replication untouched."""

from __future__ import annotations

import pytest
from contract import Example

from drctl.core.action import MARK, NotExercised, ObjectRef
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.core.provider import Access, Registry

LYON = "ontap-lyon"
BUBBLE = Bubble("lyon", "bubble-isolated", "DRILL", "-drill", "/drill_", run_id="contract")
HOSTS = ["198.51.100.31", "198.51.100.32"]
BREAK = Example("ontap.snapmirror.break", LYON, {"destination": "svm_dr:ris_vm_dr"})

FAILOVER = [
    ("ontap.snapmirror.break", {"destination": "svm_dr:ris_vm_dr"}),
    ("ontap.volume.mount", {"svm": "svm_dr", "volume": "ris_vm_dr", "junction": "/ris_vm"}),
    (
        "ontap.volume.export",
        {"svm": "svm_dr", "volume": "ris_vm_dr", "policy": "esx", "clients": HOSTS},
    ),
]
GIVEN_TO_CLONES = ("ontap.volume.snapshot_policy", {"svm": "svm_dr", "volume": "ris_vm_dr", "policy": "none"})
ROLLED_BACK = (
    "ontap.snapmirror.break_to_snapshot",
    {"destination": "svm_dr:ris_vm_dr", "snapshot": "old", "may_delete": ["new"]},
)
LEFT_ALONE = [
    ("ontap.snapmirror.quiesce", {"destination": "svm_dr:ris_vm_dr"}),
    ("ontap.snapmirror.update", {"destination": "svm_dr:ris_vm_dr"}),
    ("ontap.snapmirror.reverse", {"source": "a:b", "destination": "c:d"}),
    ("ontap.snapmirror.repoint", {"source": "a:b", "destination": "c:d"}),
    ("ontap.snapmirror.remove", {"destination": "c:d"}),
    ("ontap.volume.unmount", {"svm": "svm_prod", "volume": "ris_vm"}),
    ("ontap.volume.delete_clone", {"svm": "svm_dr", "volume": "x_drill", "parent": "x"}),
    ("ontap.snapshot.create", {"svm": "svm_dr", "volume": "x", "snapshot": "s"}),
    ("ontap.cifs.share", {"svm": "svm_dr", "share": "IMAGES", "path": "/images"}),
    ("ontap.cifs.alias", {"svm": "svm_dr", "alias": "NAS"}),
    ("ontap.cifs.sessions.close", {"svm": "svm_prod"}),
    ("ontap.svm.start", {"svm": "svm_dr"}),
    ("ontap.svm.stop", {"svm": "svm_dr"}),
    ("ontap.lif.up", {"svm": "svm_dr", "lif": "l"}),
    ("ontap.lif.down", {"svm": "svm_dr", "lif": "l"}),
]


def test_every_action_is_decided():
    decided = {uses for uses, _ in [*FAILOVER, GIVEN_TO_CLONES, ROLLED_BACK, *LEFT_ALONE]} | {
        "ontap.volume.clone"
    }
    assert decided == set(Registry().provider("ontap").actions)


@pytest.mark.parametrize(
    ("uses", "arguments"), LEFT_ALONE, ids=lambda each: each if isinstance(each, str) else ""
)
def test_what_is_not_the_drills_own_is_left_alone_with_a_reason(uses, arguments):
    found = Registry().find(uses)
    verdict = found.model_validate(arguments).in_drill(BUBBLE)
    assert isinstance(verdict, NotExercised)
    assert verdict.reason


def test_a_snapshot_policy_is_given_to_the_clone():
    uses, arguments = GIVEN_TO_CLONES
    recipe = Registry().find(uses).model_validate(arguments).in_drill(BUBBLE)
    assert (recipe.uses, recipe.arguments["volume"]) == (uses, BUBBLE.volume("ris_vm_dr"))


def test_what_a_failover_rolls_back_a_drill_clones_and_deletes_nothing():
    uses, arguments = ROLLED_BACK
    recipe = Registry().find(uses).model_validate(arguments).in_drill(BUBBLE)
    assert recipe.uses == "ontap.volume.clone"
    assert (recipe.arguments["parent"], recipe.arguments["snapshot"]) == ("ris_vm_dr", "old")
    assert Registry().find(uses).output_names <= Registry().find(recipe.uses).output_names


def substitutes(stand):
    """Return the failover's storage steps as a drill does them."""
    steps = [stand.build(uses, arguments) for uses, arguments in FAILOVER]
    recipes = [step.in_drill(BUBBLE) for step in steps]
    return [stand.build(recipe.uses, recipe.arguments) for recipe in recipes]


def test_all_that_a_drill_touches_lies_inside_the_bubble(bench):
    for action in substitutes(bench(BREAK)):
        touched = [ObjectRef(o.kind, o.identity, "lyon") for o in action.touches()]
        assert touched
        assert all(BUBBLE.contains(thing) for thing in touched), touched


def test_substitutes_put_out_what_the_step_would(bench):
    stand = bench(BREAK)
    for (uses, _), action in zip(FAILOVER, substitutes(stand), strict=True):
        assert Registry().find(uses).output_names <= type(action).output_names


def test_steps_may_be_given_the_outputs_of_substitutes(bench):
    stand = bench(BREAK)
    arguments = {"svm": "svm_dr", "volume": "ris_vm_dr_drill", "junction": "/ris_vm"}
    recipe = stand.build("ontap.volume.mount", arguments).in_drill(BUBBLE)
    assert recipe.arguments == {"svm": "svm_dr", "volume": "ris_vm_dr_drill", "junction": "/drill_ris_vm"}


def facts(world):
    """What a drill may not change: relationships, production volumes, policies of others, their rules."""
    with world.lock:
        clusters = world.estate.clusters.values()
        mirrors = {
            m.destination: (m.state, m.source, m.schedule) for c in clusters for m in c.mirrors.values()
        }
        volumes = {
            (v.cluster, v.name): (v.type, v.state, v.junction, v.export_policy)
            for c in clusters
            for v in c.volumes.values()
            if not v.name.endswith("_drill")
        }
        policies = {
            (c.endpoint, s.name, p.name): [(r.index, *r.clients) for r in p.rules]
            for c in clusters
            for s in c.svms.values()
            for p in s.policies.values()
            if not p.name.endswith("_drill")
        }
        return mirrors, volumes, policies


def snapshots_of(world, name):
    with world.lock:
        volume = next(v for v in world.estate.clusters[LYON].volumes.values() if v.name == name)
        return [(s.name, sorted(s.owners)) for s in volume.snapshots]


def test_a_drill_and_its_cleanup_leave_the_arrays_as_they_were(bench):
    stand = bench(BREAK)
    before, bases = facts(stand.world), snapshots_of(stand.world, "ris_vm_dr")
    undo = []
    with stand.connect(Access.WRITE) as client:
        for action in substitutes(stand):
            seen = action.read(client)
            change = action.diff(seen)
            assert change is not None
            undo.append(action.undo(seen, change))
            action.apply(client, change, stand.control())
            assert stand.left_to_do(action, client) is None
        with stand.world.lock:
            clone = next(
                v for v in stand.world.estate.clusters[LYON].volumes.values() if v.name == "ris_vm_dr_drill"
            )
        assert (clone.junction, clone.guarantee, clone.read_only) == ("/drill_ris_vm", "none", False)
        assert clone.comment.startswith("drctl:contract:")
        assert probe(stand, client).level == "blocker"
        for recipe in reversed([recipe for recipe in undo if recipe]):
            stand.run(stand.undo(recipe))
        assert facts(stand.world) == before
        assert snapshots_of(stand.world, "ris_vm_dr") == bases
        assert probe(stand, client).level == "ok"


def probe(stand, client):
    arguments = {"svms": ["svm_dr"], "suffix": "-drill", "junction_prefix": "/drill_"}
    asked = Registry().find("ontap.bubble.empty").model_validate(arguments)
    return asked.judge(asked.observe(client))


def test_replication_goes_on_under_a_drill_and_its_old_base_goes_with_the_clone(bench):
    stand = bench(BREAK)
    clone = substitutes(stand)[0]
    update = stand.build("ontap.snapmirror.update", {"destination": "svm_dr:ris_vm_dr"})
    with stand.connect(Access.WRITE) as client:
        change = clone.diff(clone.read(client))
        clone.apply(client, change, stand.control())
        base = clone.read(client).clone.base
        update.apply(client, update.diff(update.read(client)), stand.control())
        assert clone.diff(clone.read(client)) is None
        assert base in dict(snapshots_of(stand.world, "ris_vm_dr"))
        recipe = clone.undo(clone.read(client), change)
        assert recipe.arguments["mark"] == MARK
        stand.run(stand.undo(recipe))
        assert base not in dict(snapshots_of(stand.world, "ris_vm_dr"))


def test_a_volume_deleted_without_force_is_purged_from_the_queue(bench):
    stand = bench(BREAK)
    clone = substitutes(stand)[0]
    with stand.connect(Access.WRITE) as client:
        change = clone.diff(clone.read(client))
        clone.apply(client, change, stand.control())
        with stand.world.lock:
            volumes = stand.world.estate.clusters[LYON].volumes
            next(v for v in volumes.values() if v.name == "ris_vm_dr_drill").deleted = stand.world.now()
        left = probe(stand, client)
        assert any("recovery queue" in line for line in left.details)
        stand.run(stand.undo(clone.undo(clone.read(client), change)))
        assert probe(stand, client).level == "ok"


def test_a_clone_that_somebody_else_made_is_never_deleted(bench):
    stand = bench(BREAK)
    clone = substitutes(stand)[0]
    with stand.connect(Access.WRITE) as client:
        change = clone.diff(clone.read(client))
        clone.apply(client, change, stand.control())
        with stand.world.lock:
            volumes = stand.world.estate.clusters[LYON].volumes
            next(v for v in volumes.values() if v.name == "ris_vm_dr_drill").comment = "night shift"
        undo = stand.undo(clone.undo(clone.read(client), change))
        with pytest.raises(ProviderError) as refusal:
            undo.apply(client, change, stand.control())
        assert refusal.value.problem.code == "ontap-not-ours"
        assert any(v.name == "ris_vm_dr_drill" and v.deleted is None for v in volumes.values())
