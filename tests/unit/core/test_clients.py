"""Clients are opened once, and a dead endpoint is not asked again and again, but not forgotten either."""

from __future__ import annotations

import pytest
from fake_clock import FakeClock
from things import ThingEndpoint, Things, failed, registry

from drctl.core.binding import ProviderBinder
from drctl.core.clients import UNREACHABLE_FOR, Clients
from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.core.provider import Access
from drctl.core.secret import Secret

AWAY = {"unreachable": True}


def absent(kind: str, place: str) -> str:
    raise DrctlError(Problem(code="secret", summary=f"{kind}:{place} is not set"))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def world():
    return Things()


@pytest.fixture
def clients(world, clock):
    endpoints = {
        "here": ThingEndpoint(name="here", type="thing", site="north"),
        "there": ThingEndpoint(name="there", type="thing", site="south"),
        "locked": ThingEndpoint(
            name="locked", type="thing", site="north", password=Secret("env", "X", absent)
        ),
    }
    with Clients(registry(world), endpoints, clock) as opened:
        yield opened


@pytest.fixture
def look(world, clients):
    binder = ProviderBinder(registry(world), clients, absent)

    def look(endpoint="here", uses="thing.see", **arguments):
        wanted = {"wanted": "on"} if uses == "thing.see" else {"to": "on"}
        return binder.bind(uses, endpoint, {"thing": "a", **wanted, **arguments}).look()

    return look


def test_one_client_per_endpoint_and_access(clients):
    provider = clients.provider("thing.set")
    for endpoint, access in [("here", Access.READ), ("here", Access.READ), ("here", Access.WRITE)]:
        clients.client(provider, endpoint, access)
    assert provider.opened == [("here", Access.READ), ("here", Access.WRITE)]


@pytest.mark.parametrize("uses", ["thing.see", "thing.set"])
def test_an_unreachable_endpoint_is_not_tried_again_for_a_while(world, clock, look, uses):
    world.script("read", "a", failed("no route", **AWAY))
    assert look(uses=uses).unreachable
    clock.advance(UNREACHABLE_FOR - 1)
    refused = look(uses=uses)
    assert (refused.unreachable, refused.problem.summary, len(world.reads)) == (True, "no route", 1)
    assert not isinstance(look("there", uses), ProviderError), "the others are"
    clock.advance(1)
    assert not isinstance(look(uses=uses), ProviderError)


def test_asking_again_and_again_does_not_keep_it_unreachable(world, clock, look):
    """A probe that looks every five seconds must notice that its target is back."""
    world.script("read", "a", failed("no route", **AWAY))
    looks = [look()]
    while len(looks) < 20 and isinstance(looks[-1], ProviderError):
        clock.advance(5)
        looks.append(look())
    assert len(looks) == 5


def test_other_errors_say_nothing_about_the_endpoint(world, look):
    world.script("read", "a", failed("refused"))
    assert isinstance(look(), ProviderError)
    assert not isinstance(look(), ProviderError)


@pytest.mark.parametrize("uses", ["thing.see", "thing.set"])
def test_a_secret_that_cannot_be_found_is_what_the_look_says(look, uses):
    """So that a step at the lost site that tolerates its loss tolerates this, too."""
    seen = look("locked", uses)
    assert isinstance(seen, ProviderError)
    assert seen.problem.summary == "env:X is not set"
    assert not seen.unreachable
