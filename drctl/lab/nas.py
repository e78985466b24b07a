"""How hosts and users reach volumes: junctions, export policies, CIFS, SVMs and their LIFs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from drctl.lab.model import Cluster, ExportPolicy, ExportRule, Job, Lif, Share, Svm, Volume
from drctl.lab.storage import Refusal, live_volumes, missing, start_job
from drctl.lab.world import World

_DENIED = {"never", "none"}


@dataclass(frozen=True)
class Export:
    """What an NFS client found behind server address and path."""

    cluster: Cluster
    svm: Svm
    volume: Volume


def data_lifs(world: World) -> Iterator[tuple[Cluster, Svm, Lif]]:
    """Every data LIF of the estate."""
    for cluster in world.estate.clusters.values():
        for svm in cluster.svms.values():
            for lif in svm.lifs.values():
                yield cluster, svm, lif


def svm_at(world: World, address: str) -> tuple[Cluster, Svm] | None:
    """The SVM that answers on an address: its LIF is up, it runs, its site lives."""
    for cluster, svm, lif in data_lifs(world):
        if (
            lif.address == address
            and lif.enabled
            and svm.state == "running"
            and world.site(cluster.site).alive
        ):
            return cluster, svm
    return None


def by_junction(cluster: Cluster, svm: str, path: str) -> Volume | None:
    """The online volume mounted exactly at ``path``."""
    wanted = path.rstrip("/") or "/"
    volumes = live_volumes(cluster)
    return next((v for v in volumes if v.svm == svm and v.junction == wanted and v.state == "online"), None)


def resolve(world: World, server: str, path: str) -> Export | None:
    """The volume behind ``server:path``: LIF up, SVM running, site alive, junction mounted."""
    with world.lock:
        found = svm_at(world, server)
        if found is None:
            return None
        volume = by_junction(found[0], found[1].name, path)
        return Export(*found, volume) if volume else None


# --- export policies ------------------------------------------------------------------------------


def matches(rule: ExportRule, client: str) -> bool:
    """Whether one of a rule's clients (address, network) covers an address; names match themselves."""
    for each in rule.clients:
        try:
            if ip_address(client) in ip_network(each, strict=False):
                return True
        except ValueError:
            if each == client:
                return True
    return False


def rule_for(policy: ExportPolicy | None, client: str) -> ExportRule | None:
    """The first rule, by index, that covers a client; ONTAP looks no further."""
    rules = sorted(policy.rules, key=lambda r: r.index) if policy else []
    return next((rule for rule in rules if matches(rule, client)), None)


def _grants(levels: list[str]) -> bool:
    return bool(set(levels) - _DENIED)


def _speaks_nfs(rule: ExportRule) -> bool:
    return bool({"any", "nfs", "nfs3", "nfs4"} & set(rule.protocols))


def admits(world: World, cluster: Cluster, volume: Volume, client: str, *, write: bool = True) -> bool:
    """Whether volume policy (rw and superuser with ``write``) and SVM root policy (read) let a client in."""
    with world.lock:
        svm = cluster.svms[volume.svm]
        rule = rule_for(svm.policies.get(volume.export_policy), client)
        if rule is None or not _speaks_nfs(rule) or not _grants(rule.ro):
            return False
        if write and not (_grants(rule.rw) and _grants(rule.superuser)):
            return False
        root = next((v for v in live_volumes(cluster) if v.svm == svm.name and v.is_root), None)
        gate = rule_for(svm.policies.get(root.export_policy), client) if root else None
        return gate is not None and _speaks_nfs(gate) and _grants(gate.ro)


def create_policy(world: World, svm: Svm, name: str) -> ExportPolicy:
    """POST an export policy."""
    with world.lock:
        if name in svm.policies:
            raise Refusal(409, 1, "duplicate entry", "name")
        cluster = world.estate.clusters[svm.cluster]
        used = [policy.id for each in cluster.svms.values() for policy in each.policies.values()]
        policy = svm.policies[name] = ExportPolicy(max(used, default=8589934592) + 1, name, svm.name)
        world.touch()
        return policy


def delete_policy(world: World, cluster: Cluster, svm: Svm, policy: ExportPolicy) -> None:
    """DELETE an export policy; refused while a volume uses it."""
    with world.lock:
        if policy.name not in svm.policies:
            raise missing("entry doesn't exist", "id")
        if any(v.svm == svm.name and v.export_policy == policy.name for v in live_volumes(cluster)):
            raise Refusal(409, 1703952, f'Policy "{policy.name}" is in use by volumes or qtrees.')
        if policy.name == "default":
            raise Refusal(400, 1703945, "Cannot delete default policy.")
        del svm.policies[policy.name]
        world.touch()


def add_rule(world: World, policy: ExportPolicy, rule: ExportRule) -> ExportRule:
    """POST a rule; its index 0 means the next free one.

    At an index that is taken, the rule there and those behind it move on, up to an open space (NetApp's
    reference of POST /protocols/nfs/export-policies/{policy.id}/rules).
    """
    with world.lock:
        taken = {each.index for each in policy.rules}
        rule.index = rule.index or max(taken, default=0) + 1
        space = next(index for index in itertools.count(rule.index) if index not in taken)
        for each in policy.rules:
            if rule.index <= each.index < space:
                each.index += 1
        policy.rules.append(rule)
        world.touch()
        return rule


def delete_rule(world: World, policy: ExportPolicy, index: int) -> None:
    """DELETE a rule."""
    with world.lock:
        kept = [rule for rule in policy.rules if rule.index != index]
        if len(kept) == len(policy.rules):
            raise missing("entry doesn't exist", "index")
        policy.rules[:] = kept
        world.touch()


# --- CIFS -----------------------------------------------------------------------------------------


def create_share(world: World, cluster: Cluster, svm: Svm, share: Share) -> Share:
    """POST a CIFS share (its ACL: account to right; Everyone/full_control by default)."""
    with world.lock:
        if svm.cifs_server is None:
            raise Refusal(400, 655399, f'The CIFS server does not exist for SVM "{svm.name}".', "svm.name")
        if _find_share(svm, share.name):
            raise Refusal(409, 655446, f'CIFS share "{share.name}" already exists.', "name")
        if _volume_of(cluster, svm, share.path) is None:
            raise Refusal(400, 655551, f'The specified path "{share.path}" does not exist.', "path")
        share.acl = share.acl or {"Everyone": "full_control"}
        svm.shares[share.name] = share
        world.touch()
        return share


def _find_share(svm: Svm, name: str) -> Share | None:
    return next((share for share in svm.shares.values() if share.name.lower() == name.lower()), None)


def set_acl(world: World, svm: Svm, share: Share, account: str, right: str | None) -> None:
    """Set or (None) remove one entry of a share's ACL."""
    with world.lock:
        if _find_share(svm, share.name) is None:
            raise missing("entry doesn't exist", "share")
        if right is not None:
            share.acl[account] = right
        elif share.acl.pop(account, None) is None:
            raise missing("entry doesn't exist", "user_or_group")
        world.touch()


def delete_share(world: World, svm: Svm, name: str) -> None:
    """DELETE a CIFS share."""
    with world.lock:
        share = _find_share(svm, name)
        if share is None:
            raise missing("entry doesn't exist", "name")
        del svm.shares[share.name]
        world.touch()


def set_aliases(world: World, svm: Svm, aliases: set[str]) -> None:
    """PATCH the CIFS server's ``netbios.aliases``."""
    with world.lock:
        if svm.cifs_server is None:
            raise missing("entry doesn't exist", "svm.uuid")
        svm.aliases = {alias.upper() for alias in aliases}
        world.touch()


def set_cifs_enabled(world: World, svm: Svm, *, enabled: bool) -> None:
    """PATCH the CIFS server's ``enabled``."""
    with world.lock:
        if svm.cifs_server is None:
            raise missing("entry doesn't exist", "svm.uuid")
        svm.cifs_enabled = enabled
        world.touch()


def share_of(cluster: Cluster, svm: Svm, name: str) -> tuple[Share, Volume | None] | None:
    """A share and the volume its path leads to, None for the volume when the path leads nowhere."""
    share = _find_share(svm, name)
    if share is None:
        return None
    return share, _volume_of(cluster, svm, share.path)


def _volume_of(cluster: Cluster, svm: Svm, path: str) -> Volume | None:
    """The volume mounted deepest on a path that exists: a junction, or a folder below one."""
    mounted = [v for v in live_volumes(cluster) if v.svm == svm.name and v.junction and v.state == "online"]
    for volume in sorted(mounted, key=lambda v: -len(v.junction or "")):
        base = (volume.junction or "").rstrip("/")
        if path.rstrip("/") == base:
            return volume
        if path.startswith(base + "/"):
            inside = path[len(base) + 1 :].rstrip("/") + "/"
            return volume if any(name.startswith(inside) for name in volume.files) else None
    return None


def close_session(world: World, svm: Svm, identifier: int) -> None:
    """DELETE a CIFS session; the client may open another as long as it finds the share."""
    with world.lock:
        if svm.sessions.pop(identifier, None) is None:
            raise missing("entry doesn't exist", "identifier")
        world.touch()


# --- SVMs and LIFs --------------------------------------------------------------------------------


def set_svm_state(world: World, cluster: Cluster, svm: Svm, state: str) -> Job:
    """PATCH an SVM to running or stopped."""
    with world.lock:
        if state not in ("running", "stopped"):
            raise Refusal(400, 13434882, f'Invalid state "{state}".', "state")

        def work() -> None:
            svm.state = "running" if state == "running" else "stopped"

        return start_job(world, cluster, f"PATCH /api/svm/svms/{svm.uuid}", work, 5.0)


def set_lif(world: World, cluster: Cluster, lif: Lif, *, enabled: bool) -> None:
    """PATCH a LIF's ``enabled``; not a job."""
    with world.lock:
        if enabled and _duplicate(world, cluster, lif):
            raise Refusal(409, 1376963, f"Duplicate IP address {lif.address} detected.", "ip.address")
        lif.enabled = enabled
        world.touch()


def _duplicate(world: World, cluster: Cluster, lif: Lif) -> bool:
    """The address is up elsewhere on a site that this one reaches."""
    return any(
        other is not lif
        and other.address == lif.address
        and other.enabled
        and world.linked(home.site, cluster.site)
        for home, _svm, other in data_lifs(world)
    )
