"""Which virtual machine exactly: what undoing names besides a name that another machine may bear by now.

A drill's machine has the BIOS UUID and the MAC addresses of the real one, so neither tells them apart.
What does: the vCenter, its id there, the datastore and export it lies on, and the mark left on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, JsonValue
from pydantic import Field as Declared

from drctl.core.problem import ProviderError
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.arguments import VmName
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.faults import refuse

PATH: Final = "summary.config.vmPathName"
NOTES: Final = "config.annotation"
MARK: Final = "drctl:"


class Exactly(BaseModel):
    """A VM by name and, where they are given, by everything that makes it that very one."""

    vm: VmName
    moref: str | None = Declared(None, description="The VM's id in its vCenter; its name may have changed.")
    vcenter: str | None = Declared(None, description="The vCenter's instance UUID.")
    datastore: str | None = Declared(None, description="The datastore its .vmx must lie on.")
    export: str | None = Declared(None, description="server:/path that must be behind that datastore.")
    mark: str | None = Declared(
        None, description="Without `moref`: the only mark of a run that its notes may bear."
    )

    @property
    def is_exact(self) -> bool:
        """Say whether more than the name is given."""
        return any((self.moref, self.vcenter, self.datastore, self.export, self.mark))

    def pick(self, rows: Sequence[Row], stores: Mapping[str, reads.DatastoreSeen], here: str) -> Row | None:
        """Return the VM's row, None when it is gone.

        Raises:
            ProviderError: the vCenter is another one, the id is another VM's by now, or several VMs fit.
        """
        if self.vcenter and here and here != self.vcenter:
            raise refuse(
                "vcenter-replaced",
                f"{self.vm} was in another vCenter than the one that answers now",
                f"It was in {self.vcenter}, this is {here}: ids of one mean nothing to the other.",
                "Look for the VM by hand, and remove it there if it still exists.",
            )
        if self.moref:
            row = next((row for row in rows if row.id == self.moref), None)
            if row is not None and (why := self._elsewhere(row, stores)):
                raise refuse(
                    "vm-not-ours",
                    f"{row.text('name')} ({row.id}) is not the {self.vm} that was meant: {why}",
                    "Somebody moved it, or the id is another VM's by now. It was left alone.",
                    "Look at it in vCenter; remove it by hand if nobody needs it.",
                )
            return row
        named = [
            row
            for row in rows
            if row.text("name") == self.vm and not self._elsewhere(row, stores) and not self._foreign(row)
        ]
        if len(named) > 1:
            raise reads.ambiguous("VM", self.vm, [row.id for row in named])
        return named[0] if named else None

    def _elsewhere(self, row: Row, stores: Mapping[str, reads.DatastoreSeen]) -> str:
        """Return why a VM does not lie where it should, empty when it does; what cannot be read is no proof."""
        home = reads.split_path(row.text(PATH))[0]
        store = stores.get(home)
        if self.datastore and home and home != self.datastore:
            return f"it lies on {home}, not on {self.datastore}"
        if self.export and store is not None and store.export != self.export:
            return f"behind its datastore {home} is {store.export}, not {self.export}"
        return ""

    def _foreign(self, row: Row) -> bool:
        """Say whether a VM bears another run's mark; asked only where no id is known."""
        marks = [line for line in row.text(NOTES).splitlines() if line.startswith(MARK)]
        return bool(self.mark and marks and self.mark not in marks)


def find(
    client: Vsphere, wishes: Sequence[Exactly], paths: Sequence[str]
) -> list[Row | ProviderError | None]:
    """Return the row of each wish, None for a VM that is gone, in order; bulk reads for all."""
    plain = entries.vms_named(client, [one.vm for one in wishes if not one.is_exact], paths)
    exact = [one for one in wishes if one.is_exact]
    rows = _candidates(client, exact, paths)
    stores = {one.name: one for one in reads.read_datastores(client)} if any(e.export for e in exact) else {}
    here = client.instance() if any(one.vcenter for one in exact) else ""

    def look_up(one: Exactly) -> Row | None:
        return one.pick(rows, stores, here) if one.is_exact else plain(one.vm)

    return [reads.outcome(look_up, one) for one in wishes]


def _candidates(client: Vsphere, exact: Sequence[Exactly], paths: Sequence[str]) -> list[Row]:
    keys = {one.moref for one in exact if one.moref}
    names = {one.vm for one in exact if not one.moref}
    if names:
        keys |= {row.id for row in client.rows("VirtualMachine", ["name"]) if row.text("name") in names}
    return client.rows_of("VirtualMachine", keys, sorted({*paths, "name", PATH, NOTES}))


def exactly(**known: str | None) -> dict[str, JsonValue]:
    """Return the arguments that name a VM, without those that are not known."""
    return {name: value for name, value in known.items() if value}
