"""How hosts and users reach volumes: junctions, export policies, CIFS, SVMs and their LIFs."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.lab.model import Cluster, ExportPolicy, ExportRule, Job, Lif, Share, Svm, Volume
from drctl.lab.world import World


@dataclass(frozen=True)
class Export:
    """What an NFS client found behind server address and path."""

    cluster: Cluster
    svm: Svm
    volume: Volume


def resolve(world: World, server: str, path: str) -> Export | None:
    """The volume behind ``server:path``: LIF up, SVM running, site alive, junction mounted."""
    raise NotImplementedError


def admits(world: World, cluster: Cluster, volume: Volume, client: str, *, write: bool = True) -> bool:
    """Whether volume policy (rw and superuser with ``write``) and SVM root policy (read) let a client in."""
    raise NotImplementedError


def create_policy(world: World, svm: Svm, name: str) -> ExportPolicy:
    """POST an export policy."""
    raise NotImplementedError


def delete_policy(world: World, cluster: Cluster, svm: Svm, policy: ExportPolicy) -> None:
    """DELETE an export policy; refused while a volume uses it."""
    raise NotImplementedError


def add_rule(world: World, policy: ExportPolicy, rule: ExportRule) -> ExportRule:
    """POST a rule; its index 0 means the next free one."""
    raise NotImplementedError


def delete_rule(world: World, policy: ExportPolicy, index: int) -> None:
    """DELETE a rule."""
    raise NotImplementedError


def create_share(world: World, cluster: Cluster, svm: Svm, share: Share) -> Share:
    """POST a CIFS share (its ACL: account to right; Everyone/full_control by default)."""
    raise NotImplementedError


def set_acl(world: World, svm: Svm, share: Share, account: str, right: str | None) -> None:
    """Set or (None) remove one entry of a share's ACL."""
    raise NotImplementedError


def delete_share(world: World, svm: Svm, name: str) -> None:
    """DELETE a CIFS share."""
    raise NotImplementedError


def set_aliases(world: World, svm: Svm, aliases: set[str]) -> None:
    """PATCH the CIFS server's ``netbios.aliases``."""
    raise NotImplementedError


def set_cifs_enabled(world: World, svm: Svm, *, enabled: bool) -> None:
    """PATCH the CIFS server's ``enabled``."""
    raise NotImplementedError


def set_svm_state(world: World, cluster: Cluster, svm: Svm, state: str) -> Job:
    """PATCH an SVM to running or stopped."""
    raise NotImplementedError


def set_lif(world: World, cluster: Cluster, lif: Lif, *, enabled: bool) -> None:
    """PATCH a LIF's ``enabled``; not a job."""
    raise NotImplementedError
