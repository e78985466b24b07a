"""Which files lie on datastores: each folder is looked into once, a datastore wanted often as a whole."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.client import Vsphere

FEW = 4
"""From so many .vmx files on, one search through a whole datastore is cheaper than one each."""


class Files:
    """Looks into datastores, each folder once; folders shared by many VMs cost one search."""

    def __init__(self, client: Vsphere, stores: Sequence[reads.DatastoreSeen]) -> None:
        self._client = client
        self._stores = {one.name: one for one in stores}
        self._seen: dict[tuple[str, str], frozenset[str]] = {}
        self._deep: dict[str, frozenset[str]] = {}
        self._failed: dict[str, ProviderError] = {}

    def prepare(self, wanted: Sequence[str]) -> None:
        """Look once through each datastore that is wanted for many .vmx files; one name per file."""
        for name, store in self._stores.items():
            if not store.accessible or wanted.count(name) < FEW:
                continue
            try:
                self._deep[name] = reads.find_all_files(self._client, store, "*.vm*x")
            except ProviderError as error:
                if error.unreachable:
                    raise
                self._failed[name] = error  # of no concern to files on other datastores

    def has(self, datastore: str, path: str) -> bool:
        """Say whether a file exists on a datastore that is mounted and accessible.

        Raises:
            ProviderError: the datastore cannot be read.
        """
        store = self._stores.get(datastore)
        if store is None or not store.accessible:
            return False
        if datastore in self._failed:
            raise self._failed[datastore]
        if datastore in self._deep and path.endswith((".vmx", ".vmtx")):
            return path in self._deep[datastore]
        folder, name = posixpath.split(path)
        key = (datastore, folder)
        if key not in self._seen:
            self._seen[key] = reads.find_files(self._client, store, folder, "*")
        return name in self._seen[key]
