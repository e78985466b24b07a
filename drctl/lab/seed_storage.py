"""Clusters, SVMs, volumes, their files, and mirrors with a past, from an inventory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drctl.lab import vmx
from drctl.lab.compute import datastore_uuid, location_uuid
from drctl.lab.model import (
    Aggregate,
    CifsSession,
    Cluster,
    ExportPolicy,
    ExportRule,
    Lif,
    Mirror,
    Share,
    SnapshotPolicy,
    Svm,
    Transfer,
    Volume,
)
from drctl.lab.relations import note_peers
from drctl.lab.snapshots import show, snapshot_name, snapshot_of
from drctl.lab.storage import find_path, stable_uuid
from drctl.lab.survey import Node, Survey, VmFacts, VolumeFacts, seconds

GIB = 1024**3
TRANSFER_TIME = 240.0
"""Estate seconds that an ordinary transfer takes."""


def seed_clusters(survey: Survey) -> dict[str, Cluster]:
    """One cluster per endpoint of type ontap, every volume at every site it has a place."""
    clusters = {name: _cluster(survey, name, node) for name, node in survey.of_type("ontap")}
    for cluster in clusters.values():
        cluster.peers = set(clusters) - {cluster.endpoint}
    for facts in survey.volumes():
        for site, place in facts.at.items():
            if place.get("endpoint") in clusters:
                _add_volume(survey, clusters[place["endpoint"]], facts, site, place)
    for name, cifs in (survey.lab.get("cifs") or {}).items():
        _join_cifs(_svm(clusters[name], cifs["svm"]), cifs["server"])
    for facts in survey.volumes():
        _publish(survey, clusters, facts)
    _add_lifs(survey, clusters)
    for facts in survey.volumes():
        _mirror(survey, clusters, facts)
    return clusters


def _cluster(survey: Survey, name: str, node: Node) -> Cluster:
    cluster = Cluster(
        name,
        name,
        stable_uuid(name),
        node["site"],
        node.get("username", "drctl"),
        survey.secret(node.get("password")),
    )
    cluster.aggregates["aggr1"] = Aggregate(stable_uuid(name, "aggr1"), "aggr1", 20 * 1024 * GIB, 0)
    return cluster


def _svm(cluster: Cluster, name: str) -> Svm:
    """The SVM of that name, made with its root volume and default export policy when new."""
    if name not in cluster.svms:
        svm = Svm(stable_uuid(cluster.endpoint, name), name, cluster.endpoint)
        everyone = ExportRule(1, ["0.0.0.0/0"], ["any"], ["never"], ["none"], ["any"])
        svm.policies["default"] = ExportPolicy(_policy_id(cluster), "default", name, [everyone])
        cluster.svms[name] = svm
        root = _volume(cluster, name, f"{name}_root", "rw", GIB)
        root.is_root, root.junction = True, "/"
    return cluster.svms[name]


def _policy_id(cluster: Cluster) -> int:
    return 8589934593 + sum(len(svm.policies) for svm in cluster.svms.values())


def _volume(cluster: Cluster, svm: str, name: str, kind: str, size: int) -> Volume:
    uuid = stable_uuid(cluster.endpoint, svm, name)
    volume = Volume(
        uuid, name, svm, cluster.endpoint, "dp" if kind == "dp" else "rw", size, int(size * 0.6), "aggr1"
    )
    cluster.volumes[uuid] = volume
    cluster.aggregates["aggr1"].used += volume.used
    return volume


def _add_volume(survey: Survey, cluster: Cluster, facts: VolumeFacts, site: str, place: Node) -> None:
    svm = _svm(cluster, place["svm"])
    live = site == survey.production
    volume = _volume(cluster, svm.name, place["volume"], "rw" if live else "dp", 500 * GIB)
    volume.origin = facts.name
    volume.initialized = live
    if policy := place.get("export_policy"):
        _policy(cluster, svm, policy, place.get("clients") or [])
    if policy := place.get("snapshot_policy"):
        _snapshot_policy(cluster, svm, policy)
    if live:
        volume.junction = place.get("junction")
        volume.export_policy = place.get("export_policy") or "default"
        volume.snapshot_policy = place.get("snapshot_policy") or "default"
        volume.files = volume_files(survey, facts)
        volume.data_at = {facts.service: datetime.now(UTC)}


def _snapshot_policy(cluster: Cluster, svm: Svm, name: str) -> None:
    """What the inventory names is there: a policy of the SVM's own, unless the cluster has it."""
    if not any(one.name == name and one.svm in ("", svm.name) for one in cluster.snapshot_policies):
        cluster.snapshot_policies.append(SnapshotPolicy(name, svm.name))


def _policy(cluster: Cluster, svm: Svm, name: str, clients: list[str]) -> None:
    """Each client has a rule of its own in the policy."""
    if name not in svm.policies:
        svm.policies[name] = ExportPolicy(_policy_id(cluster), name, svm.name)
    rules = svm.policies[name].rules
    known = {client for rule in rules for client in rule.clients}
    for client in clients:
        if client not in known:
            rules.append(ExportRule(len(rules) + 1, [client]))


def _join_cifs(svm: Svm, server: str) -> None:
    svm.cifs_server = server.upper()


def _publish(survey: Survey, clusters: dict[str, Cluster], facts: VolumeFacts) -> None:
    """Where the volume has shares, each site's SVM has a CIFS server; production has share and alias."""
    if not facts.shares():
        return
    for site, place in facts.at.items():
        if place.get("endpoint") not in clusters or not place.get("junction"):
            continue
        svm = _svm(clusters[place["endpoint"]], place["svm"])
        if svm.cifs_server is None and "cifs" not in survey.lab:
            _join_cifs(svm, f"CIFS-{site}")
        if site == survey.production and svm.cifs_server:
            svm.aliases |= {alias.upper() for alias in facts.aliases()}
            for share in facts.shares():
                acl = {entry["who"]: entry["access"] for entry in share.get("acl") or []}
                svm.shares[share["name"]] = Share(
                    share["name"], share["path"], acl or {"Everyone": "full_control"}
                )
                number = len(svm.sessions) + 1
                user = next(iter(acl), f"{svm.cifs_domain}\\reader")
                svm.sessions[number] = CifsSession(number, user, f"203.0.113.{200 + number}", place["volume"])


def _add_lifs(survey: Survey, clusters: dict[str, Cluster]) -> None:
    """A data LIF per address that datastores or CIFS records name."""
    for _, datastore in survey.datastores():
        facts = survey.volume(datastore.get("volume", ""))
        for site, place in (datastore.get("at") or {}).items():
            home = facts.at.get(site) if facts else None
            if home and home.get("endpoint") in clusters:
                _lif(_svm(clusters[home["endpoint"]], home["svm"]), "nfs", place["nfs_server"])
    records = {record["name"].lower(): record for _, record in survey.records()}
    for facts in survey.volumes():
        for alias in facts.aliases():
            for site, values in records.get(alias.lower(), {}).get("at", {}).items():
                home = facts.at.get(site)
                if home and home.get("endpoint") in clusters and values:
                    _lif(_svm(clusters[home["endpoint"]], home["svm"]), "cifs", values[0])


def _lif(svm: Svm, protocol: str, address: str) -> None:
    if any(lif.address == address for lif in svm.lifs.values()):
        return
    name = f"lif_{protocol}_{1 + sum(n.startswith(f'lif_{protocol}') for n in svm.lifs)}"
    svm.lifs[name] = Lif(stable_uuid(svm.uuid, name), name, svm.name, address, node=f"{svm.cluster}-01")


# --- files ----------------------------------------------------------------------------------------


def volume_files(survey: Survey, facts: VolumeFacts) -> dict[str, str]:
    """What a production volume holds: VM folders of its datastores, or sample documents of a share."""
    names = {d["name"] for _, d in survey.datastores() if d.get("volume") == facts.name}
    files: dict[str, str] = {}
    last = [vm.name for vm in survey.vms()][-1:]
    for vm in survey.vms():
        if vm.node.get("datastore") in names:
            files |= _vm_files(survey, vm, iso=[vm.name] == last)
        if names & set(vm.node.get("also_on") or []):
            files |= {f"{vm.name}/{vm.name}_1.vmdk": "", f"{vm.name}/{vm.name}_1-flat.vmdk": ""}
    for share in facts.shares():
        files[f"{share['name'].lower()}.txt"] = f"Documents of {share['name']}\n"
    return files


def _vm_files(survey: Survey, vm: VmFacts, *, iso: bool) -> dict[str, str]:
    path = vm.node.get("vmx") or f"{vm.name}/{vm.name}.vmx"
    folder = path.rpartition("/")[0]
    place = vm.at.get(survey.production) or next(iter(vm.at.values()), {})
    text = vmx.write(
        vmx.VmxText(
            vm.name,
            stable_uuid("bios", vm.name),
            "windows2019srv-64" if vm.name in (survey.lab.get("windows") or []) else "debian12-64",
            tuple(
                _nic(survey, vm, number, name)
                for number, name in enumerate((place.get("networks") or {}).values())
            ),
            _disks(survey, vm),
            location_uuid(place.get("endpoint", ""), f"[{vm.node.get('datastore')}] {path}"),
            f"/vmfs/volumes/{datastore_uuid('iso', survey.production)}/tools.iso" if iso else None,
        )
    )
    stem = f"{folder}/{vm.name}"
    guest = f"address = {place.get('ip', '')}\n"
    return {path: text, f"{stem}.vmdk": "", f"{stem}-flat.vmdk": guest, f"{stem}.nvram": ""}


def _nic(survey: Survey, vm: VmFacts, number: int, network: str) -> vmx.NicText:
    digits = stable_uuid("mac", vm.name, str(number)).replace("-", "")
    mac = f"00:50:56:{int(digits[:2], 16) % 64:02x}:{digits[2:4]}:{digits[4:6]}"
    settings = (survey.lab.get("networks") or {}).get(network) or {}
    if settings.get("kind") == "distributed":
        endpoint = vm.at[survey.production]["endpoint"]
        return vmx.NicText(
            number, mac, switch=switch_uuid(endpoint), portgroup=portgroup_key(endpoint, network)
        )
    return vmx.NicText(number, mac, network)


def _disks(survey: Survey, vm: VmFacts) -> dict[int, str]:
    disks = {vmx.FIRST_DISK: f"{vm.name}.vmdk"}
    for number, name in enumerate(vm.node.get("also_on") or [], 1):
        datastore = survey.datastore(name)
        if datastore is not None:
            server = datastore["at"][survey.production]["nfs_server"]
            uuid = datastore_uuid(server, survey.path(datastore, survey.production))
            disks[vmx.FIRST_DISK + number] = f"/vmfs/volumes/{uuid}/{vm.name}/{vm.name}_1.vmdk"
    return disks


def switch_uuid(endpoint: str) -> str:
    """The uuid of a vCenter's distributed switch, as .vmx files spell it."""
    return vmx.spaced_uuid(stable_uuid("dvs", endpoint))


def portgroup_key(endpoint: str, network: str) -> str:
    """The key of a distributed portgroup."""
    return f"dvportgroup-{int(stable_uuid('pg', endpoint, network)[:4], 16)}"


# --- mirrors --------------------------------------------------------------------------------------


def _mirror(survey: Survey, clusters: dict[str, Cluster], facts: VolumeFacts) -> None:
    source = facts.at.get(survey.production)
    if not source or source.get("endpoint") not in clusters:
        return
    vault = facts.node.get("vault") or {}
    for site, place in facts.at.items():
        if site == survey.production or place.get("endpoint") not in clusters:
            continue
        vaulted = site == vault.get("site")
        every = seconds((vault if vaulted else facts.node).get("schedule"))
        age = timedelta(hours=6) if vaulted else timedelta(minutes=20)
        mirror = Mirror(
            stable_uuid("mirror", place["endpoint"], place["svm"], place["volume"]),
            source["endpoint"],
            f"{source['svm']}:{source['volume']}",
            place["endpoint"],
            f"{place['svm']}:{place['volume']}",
            "XDPDefault" if vaulted else "Asynchronous",
            "snapmirrored",
            every,
        )
        _past(clusters, mirror, age, vaulted=vaulted)


def _past(clusters: dict[str, Cluster], mirror: Mirror, age: timedelta, *, vaulted: bool) -> None:
    """Transfers that happened before the lab began, the last of which ended ``age`` ago."""
    cluster = clusters[mirror.destination_cluster]
    cluster.mirrors[mirror.uuid] = mirror
    note_peers(clusters, mirror)
    source = find_path(clusters[mirror.source_cluster], mirror.source)
    target = find_path(cluster, mirror.destination)
    if source is None or target is None:
        return
    target.initialized = True
    jitter = timedelta(seconds=int(mirror.uuid[:2], 16) % 40)
    ended = datetime.now(UTC).replace(microsecond=0) - age - jitter
    interval = timedelta(seconds=mirror.schedule or 86400)
    svm = cluster.svms[target.svm]
    for number in range(3 if vaulted else 6, -1, -1):
        end = ended - number * interval
        started = end - timedelta(seconds=TRANSFER_TIME)
        kind = "daily" if vaulted else "hourly"
        name = f"{kind}.{started:%Y-%m-%d_%H%M}"
        if number == 0:
            name = snapshot_name(svm.uuid, target.uuid, started)
            mirror.exported = name
        past = snapshot_of(source, name, started, label="" if number == 0 else kind)
        if number == 0:
            past.owners = {"snapmirror"}
            source.snapshots.append(snapshot_of(source, name, started, uuid=past.uuid))
            source.snapshots[-1].owners = {"snapmirror"}
        target.snapshots.append(past)
        moved = 3 * GIB + int(mirror.uuid[2:4], 16) * 10_000_000
        if number <= 1:
            done = Transfer(
                stable_uuid(mirror.uuid, str(number)), "success", "update", started, end, moved, moved
            )
            done.snapshot = name
            mirror.transfers.append(done)
    show(target, target.snapshots[-1])
