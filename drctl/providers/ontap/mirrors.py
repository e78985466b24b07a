"""Reading mirrors in bulk: the relationship, its destination volume, what that volume shows and since when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from drctl.core.problem import ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import Mirror, Snapshot, Volume, split_path

LONGEST_QUERY = 20
"""Names in one query; beyond this the whole collection is read, in one request all the same."""


@dataclass(frozen=True, slots=True)
class MirrorState:
    """A mirror as its destination cluster shows it.

    ``recovery_point`` is when the exported snapshot was made, by the clock of the array that made it;
    ``clock_skew`` is the destination's clock minus ours, in seconds.
    """

    mirror: Mirror | None
    volume: Volume | None
    recovery_point: datetime | None = None
    clock_skew: float | None = None


def read_mirror(client: Client, destination: str) -> Mirror | None:
    """Return the relationship with this destination path, asked of the destination cluster alone."""
    return next(iter(client.fetch(Mirror, destination__path=destination)), None)


def read_mirrors(client: Client, destinations: Sequence[str]) -> list[MirrorState]:
    """Read many mirrors: one request each for relationships, volumes and snapshots.

    Raises:
        ProviderError: The cluster cannot be read.
    """
    mirrors = {m.destination: m for m in _relationships(client, destinations)}
    volumes = volumes_at(client, destinations)
    snapshots = _exported(client, mirrors, volumes)
    skew = client.skew()
    states = []
    for destination in destinations:
        mirror, volume = mirrors.get(destination), volumes.get(destination)
        made = snapshots.get(volume.uuid) if volume else None
        point = made or (_since_lag(client, mirror, skew) if mirror else None)
        states.append(MirrorState(mirror, volume, point, skew))
    return states


def _since_lag(client: Client, mirror: Mirror, skew: float | None) -> datetime | None:
    """Where the snapshot itself cannot be seen: lag is counted from its creation."""
    if mirror.lag is None or mirror.state == "broken_off":
        return None
    return client.clock.now() + timedelta(seconds=(skew or 0.0) - mirror.lag)


def _relationships(client: Client, destinations: Sequence[str]) -> list[Mirror]:
    if len(destinations) > LONGEST_QUERY:
        return client.fetch(Mirror)
    return client.fetch(Mirror, destination__path=_either(destinations))


def volumes_at(client: Client, paths: Sequence[str]) -> dict[str, Volume]:
    """Return volumes by ``svm:volume``, in one request; more than those asked for may be among them."""
    pairs = [split_path(path) for path in paths]
    svms = _either(svm for svm, _ in pairs)
    if len(paths) > LONGEST_QUERY:
        found = client.fetch(Volume, svm__name=svms)
    else:
        found = client.fetch(Volume, svm__name=svms, name=_either(name for _, name in pairs if name))
    return {volume.path: volume for volume in found}


def _either(values: Collection[str] | Iterator[str]) -> str:
    """Return a query for any of the values."""
    return "|".join(sorted(set(values)))


def _exported(client: Client, mirrors: dict[str, Mirror], volumes: dict[str, Volume]) -> dict[str, datetime]:
    """Return when each exported snapshot was made, by volume uuid."""
    wanted = {
        volumes[path].uuid: mirror.exported
        for path, mirror in mirrors.items()
        if mirror.exported and path in volumes
    }
    if not wanted:
        return {}
    found = _snapshots(client, wanted)
    return {s.volume: s.created for s in found if wanted.get(s.volume) == s.name}


def _snapshots(client: Client, wanted: dict[str, str]) -> list[Snapshot]:
    if len(wanted) == 1:
        return _of_each(client, wanted)
    try:
        names = iter(sorted(set(wanted.values())))
        found: list[Snapshot] = []
        while chunk := list(islice(names, LONGEST_QUERY)):
            found += client.fetch(Snapshot, "*", name=_either(chunk))
    except ProviderError as error:
        if error.unreachable:
            raise
        # The bulk path (volumes/*/snapshots) is newer than the others and may be closed to the account.
        return _of_each(client, wanted)
    return found


def _of_each(client: Client, wanted: dict[str, str]) -> list[Snapshot]:
    found = [s for uuid, name in wanted.items() for s in client.fetch(Snapshot, uuid, name=name)]
    volumes = {name: uuid for uuid, name in wanted.items()}
    return [s if s.volume else s.model_copy(update={"volume": volumes.get(s.name, "")}) for s in found]
