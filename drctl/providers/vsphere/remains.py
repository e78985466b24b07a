"""What a drill left behind in a vCenter: the question that a cleanup ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.bubble import Bubble
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.providers.vsphere import entries, placing, reads
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.folders import existing


class BubbleEmpty(Probe[Vsphere]):
    """Whether nothing of a drill is left: no VM, datastore or folder, no registration of files that are gone.

    A VM counts that bears the suffix, lies in the drills' folder or on a datastore that counts; a
    datastore that bears the suffix, is named in ``datastores`` or mounts an export below
    ``junction_prefix``; a folder that is among ``folders``, which the drill made. ``known`` are names that
    were there before and are nobody's leftovers.
    """

    name: ClassVar[str] = "vsphere.bubble.empty"
    output_names: ClassVar[frozenset[str]] = frozenset({"vms", "datastores", "folders"})

    suffix: Annotated[str, Limits(min_length=1)]
    folder: Annotated[str, Limits(min_length=1)]
    datastores: tuple[str, ...] = ()
    folders: tuple[str, ...] = Limits((), description="Folders that the drill made, which must be gone.")
    junction_prefix: str | None = Limits(None, min_length=2)
    known: tuple[str, ...] = ()

    def observe(self, client: Vsphere) -> Observation:
        """Read every datastore and every VM's place, then the details of those that count."""
        stores = [one for one in reads.read_datastores(client) if self._counts(one)]
        inside = {vm for vms in reads.vms_on(client, stores).values() for vm in vms}
        labels = {one.name for one in stores}
        folders = client.rows("Folder", ["name", "parent"])
        rows = client.rows("VirtualMachine", [*entries.ENTRY, "parent"])
        left = [row for row in rows if row.id in inside or self._is_left(row, folders, labels)]
        return Observation(
            {
                "vms": [_vm(row, folders) for row in sorted(left, key=lambda row: row.text("name"))],
                "datastores": [
                    {"name": one.name, "id": one.moref, "export": one.export, "hosts": len(one.mounts)}
                    for one in sorted(stores, key=lambda one: one.name)
                ],
                "folders": [
                    {"name": path, "id": moref} for path, moref in sorted(existing(folders, self.folder))
                ],
            }
        )

    def _counts(self, store: reads.DatastoreSeen) -> bool:
        below = self.junction_prefix is not None and store.path.startswith(self.junction_prefix)
        return store.name.endswith(self.suffix) or store.name in self.datastores or below

    def _is_left(self, row: Row, folders: list[Row], labels: set[str]) -> bool:
        """Say whether a VM is a drill's; an entry without its datastore still names it in its path."""
        home = reads.split_path(row.text("summary.config.vmPathName"))[0]
        gone = home.endswith(self.suffix) or home in self.datastores
        folder = placing.folder_path(reads.identity(row.values.get("parent")), folders)
        mine = folder == self.folder or folder.startswith(f"{self.folder}/")
        return mine or gone or home in labels or row.text("name").endswith(self.suffix)

    def judge(self, seen: Observation) -> Finding:
        """Anything left that was not there before is a blocker, and is listed."""
        vms = [one for one in _rows(seen.values.get("vms")) if one.get("name") not in self.known]
        stores = [one for one in _rows(seen.values.get("datastores")) if one.get("name") not in self.known]
        folders = [one for one in _rows(seen.values.get("folders")) if one.get("name") in self.folders]
        if not vms and not stores and not folders:
            return Finding(Level.OK, "nothing of a drill is left: no VM, no datastore, no folder")
        details = (
            *(
                f"VM {one.get('name')} ({one.get('id')}) in {one.get('folder') or 'the top folder'} at "
                f"{one.get('path')}, {one.get('power')}, {one.get('connection')}"
                for one in vms
            ),
            *(
                f"datastore {one.get('name')} ({one.get('id')}), {one.get('export')}, on {one.get('hosts')} hosts"
                for one in stores
            ),
            *(f"folder {one.get('name')} ({one.get('id')})" for one in folders),
        )
        counted = [_count(vms, "VM"), _count(stores, "datastore"), _count(folders, "folder")]
        *first, last = [words for words in counted if not words.startswith("0 ")]
        what = f"{', '.join(first)} and {last}" if first else last
        return Finding(
            Level.BLOCKER,
            f"of a drill {what} {'is' if len(details) == 1 else 'are'} left",
            details,
            "drctl cleanup, for the drill that made them; what no drill made, move out of the drills' folder.",
        )

    def in_drill(self, bubble: Bubble) -> None:
        """Ask as it is: it looks at the bubble only."""


def _vm(row: Row, folders: list[Row]) -> JsonValue:
    seen = entries.entry(row)
    return {
        "name": seen.name,
        "id": seen.moref,
        "path": seen.path,
        "folder": placing.folder_path(reads.identity(row.values.get("parent")), folders),
        "power": seen.power,
        "connection": seen.connection,
    }


def _rows(value: JsonValue) -> list[Mapping[str, JsonValue]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _count(found: Sequence[object], noun: str) -> str:
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"
