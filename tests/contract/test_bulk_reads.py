"""Reading for many costs as many requests as reading for a few: a plan of 500 relations is no 500 calls."""

from __future__ import annotations

import copy
import logging
import re
from pathlib import Path

import pytest
import yaml

from drctl.core.action import Action
from drctl.core.binding import ProviderBinder
from drctl.core.clients import Clients
from drctl.core.clock import SystemClock
from drctl.core.operation import Look
from drctl.core.provider import Access, Registry
from drctl.lab.server import Lab

ROOT = Path(__file__).parents[2]
FEW, MANY = 3, 45
EACH_TWENTY = 2
"""More requests for ``MANY``: snapshots are asked for by name, twenty names in each."""


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """The shipped estate with ``MANY`` more mirrored volumes."""
    plain = yaml.safe_load((ROOT / "inventories/lab.yaml").read_text())
    volumes = []
    for number in range(MANY):
        volume = copy.deepcopy(plain["services"]["ris"]["volumes"][0]) | {"name": f"f{number}"}
        del volume["vault"], volume["at"]["rennes"]
        for site, ending in (("paris", ""), ("lyon", "_dr")):
            volume["at"][site] |= {"volume": f"f{number}{ending}", "junction": f"/f{number}"}
        volumes.append(volume)
    plain["services"]["farm"] = {"title": "Farm", "tier": 2, "volumes": volumes}
    with Lab(plain, tmp_path_factory.mktemp("farm"), speed=1) as lab:
        yield lab


@pytest.fixture
def requests(caplog):
    """Count the requests that left since the last look."""
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")

    def count():
        found = sum('HTTP/1.1"' in record.getMessage() for record in caplog.records)
        caplog.clear()
        return found

    return count


def endpoint(lab):
    folder = Path(lab.inventory).parent
    fields = yaml.safe_load(Path(lab.inventory).read_text())["endpoints"]["ontap-lyon"]
    fields |= {"name": "ontap-lyon", "ca_file": str(folder / fields["ca_file"])}
    context = {"resolve": lambda kind, place: lab.secrets[place]}
    return Registry().provider("ontap").endpoint.model_validate(fields, context=context)


def reader(lab):
    return Registry().provider("ontap").connect(endpoint(lab), Access.READ)


DESTINATION = {"destination": "svm_dr:f{}_dr"}
VOLUME = {"svm": "svm_dr", "volume": "f{}_dr"}
CLIENTS = {"clients": ["198.51.100.31"]}
ARGUMENTS = {
    "ontap.snapmirror.quiesce": DESTINATION,
    "ontap.snapmirror.break": DESTINATION,
    "ontap.snapmirror.update": DESTINATION,
    "ontap.snapmirror.remove": DESTINATION | {"source": "svm_prod:f{}"},
    "ontap.volume.mount": VOLUME | {"junction": "/f{}"},
    "ontap.volume.unmount": VOLUME,
    "ontap.volume.snapshot_policy": VOLUME | {"policy": "none"},
    "ontap.volume.export": VOLUME | {"policy": "esx"} | CLIENTS,
    "ontap.volume.clone": {"svm": "svm_dr", "parent": "f{}_dr", "clone": "f{}_drill", "policy": "f{}_drill"},
    "ontap.lif.up": {"svm": "svm_dr", "lif": "lif{}"},
    "ontap.svm.start": {"svm": "svm{}"},
    "ontap.cifs.share": {"svm": "svm_dr", "share": "S{}", "path": "/f{}"},
    "ontap.cifs.alias": {"svm": "svm_dr", "alias": "A{}"},
    "ontap.mirror.fresh": DESTINATION | {"max_lag": "2h"},
    "ontap.mirror.healthy": DESTINATION,
    "ontap.mirror.direction": DESTINATION | {"source": "svm_prod:f{}"},
    "ontap.volume.ready": VOLUME,
    "ontap.aggregate.space": VOLUME | {"min_free_percent": 5},
    "ontap.export.admits": {"svm": "svm_dr", "policy": "esx"} | CLIENTS,
    "ontap.cifs.joined": {"svm": "svm_dr"},
}


def arguments(uses, number):
    return {
        name: value.format(number) if isinstance(value, str) else value
        for name, value in ARGUMENTS[uses].items()
    }


@pytest.mark.parametrize("uses", ARGUMENTS)
def test_many_cost_what_a_few_cost(farm, requests, uses):
    kind = Registry().find(uses)

    costs, seen = [], []
    with reader(farm) as client:
        for amount in (FEW, MANY):
            wanted = [kind.model_validate(arguments(uses, number)) for number in range(amount)]
            requests()
            look = kind.read_many if issubclass(kind, Action) else kind.observe_many
            seen = look(wanted, client)
            costs.append(requests())
        alone = [one.read(client) if issubclass(kind, Action) else one.observe(client) for one in wanted[-2:]]
    assert 0 < costs[0] <= 5
    assert costs[1] <= costs[0] + EACH_TWENTY
    assert len(seen) == MANY
    assert [without_figures(one) for one in seen[-2:]] == [without_figures(one) for one in alone]


@pytest.mark.parametrize("uses", ["ontap.mirror.fresh", "ontap.volume.ready", "ontap.snapmirror.break"])
def test_what_a_plan_asks_of_many_is_asked_together(farm, requests, uses):
    registry, here = Registry(), endpoint(farm)
    with Clients(registry, {here.name: here}, SystemClock()) as clients:
        binder = ProviderBinder(registry, clients, lambda kind, place: place)
        wanted = [binder.bind(uses, here.name, arguments(uses, number)) for number in range(MANY)]
        seen = binder.look_many(wanted)
    assert requests() <= 5 + EACH_TWENTY
    assert [type(one) for one in seen] == [Look] * MANY


def without_figures(seen):
    """Return what was read without what the clock moves: lag and skew."""
    assert not isinstance(seen, Exception)
    return re.sub(r"[\d.]+", "0", str(seen))
