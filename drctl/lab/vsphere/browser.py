"""Datastores as people browse them: searches as tasks, files over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from drctl.lab import compute
from drctl.lab.model import Datastore
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table, gone
from drctl.lab.vsphere.scope import Center, Kind, Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.tasks import start_reading
from drctl.lab.vsphere.values import Obj, Typed, Value, obj

_FOLDER: Final = "FolderFileInfo"
_TYPES: Final[Mapping[str, str]] = {
    ".vmx": "VmConfigFileInfo",
    ".vmtx": "TemplateConfigFileInfo",
    ".vmdk": "VmDiskFileInfo",
    ".log": "VmLogFileInfo",
    ".nvram": "VmNvramFileInfo",
    ".iso": "IsoImageFileInfo",
}
"""File name ending to the type of its FileInfo."""

_QUERIES: Final[Mapping[str, str]] = {
    "VmConfigFileQuery": "VmConfigFileInfo",
    "TemplateConfigFileQuery": "TemplateConfigFileInfo",
    "VmDiskFileQuery": "VmDiskFileInfo",
    "VmLogFileQuery": "VmLogFileInfo",
    "VmNvramFileQuery": "VmNvramFileInfo",
    "IsoImageFileQuery": "IsoImageFileInfo",
    "FolderFileQuery": _FOLDER,
}
"""Query type to the type of what it finds; a plain FileQuery finds all."""


def _find(scope: Scope, moref: str) -> Datastore | None:
    return scope.center.vcenter.datastores.get(moref.partition("-")[2])


def _search(scope: Scope, call: Call) -> Value:
    return _start(scope, call, "SearchDatastore", deep=False)


def _search_below(scope: Scope, call: Call) -> Value:
    return _start(scope, call, "SearchDatastoreSubFolders", deep=True)


def _start(scope: Scope, call: Call, name: str, *, deep: bool) -> Value:
    center = scope.center
    spec = call.args.obj("searchSpec") or obj("HostDatastoreBrowserSearchSpec")
    with center.world.lock:
        datastore = _find(scope, call.this.id)
        if datastore is None:
            raise gone(call.this)
        label, folder = compute.split_path(call.args.text("datastorePath"))

        def work() -> Value:
            found = tuple(_results(center, datastore, label, folder, spec, deep=deep))
            return Typed("vim.host.DatastoreBrowser.SearchResults[]", found) if deep else found[0]

        return start_reading(scope, name, datastore.moref, work)


def _results(
    center: Center, datastore: Datastore, label: str, folder: str, spec: Obj, *, deep: bool
) -> Iterator[Obj]:
    """Yield the SearchResults of a folder, and with ``deep`` of each folder below it."""
    path = f"[{label}] {folder}".rstrip()
    if datastore.name != label:
        raise compute.VimFault("InvalidDatastore", f"Invalid datastore '{label}'.", name_=label)
    contents = compute.files(center.world, center.vcenter, datastore)
    folders = _folders(contents)
    if folder not in folders:
        raise compute.VimFault("FileNotFound", f"File {path} was not found", file=path)
    below = sorted(
        each for each in folders if each.startswith(f"{folder}/" if folder else "") and each != folder
    )
    for each in [folder, *(below if deep else [])]:
        yield obj(
            "HostDatastoreBrowserSearchResults",
            datastore=tree.datastore_ref(datastore),
            folderPath=f"[{label}] {each}/" if each else f"[{label}]",
            file=tuple(_files(contents, folders, each, spec)),
        )


def _folders(contents: Mapping[str, str]) -> set[str]:
    found = {""}
    for path in contents:
        above = path.rpartition("/")[0]
        while above:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _files(contents: Mapping[str, str], folders: set[str], folder: str, spec: Obj) -> Iterator[Obj]:
    prefix = f"{folder}/" if folder else ""
    names = {path.removeprefix(prefix): path for path in [*contents, *folders] if path.startswith(prefix)}
    details = spec.obj("details") or obj("FileQueryFlags")
    for name in sorted(names):
        if not name or "/" in name or not _wanted(name, is_folder=names[name] in folders, spec=spec):
            continue
        kind = _type_of(name, is_folder=names[name] in folders) if details.flag("fileType") else "FileInfo"
        size = len(contents.get(names[name], "").encode()) if details.flag("fileSize") else None
        yield obj(kind, path=name, fileSize=size)


def _type_of(name: str, *, is_folder: bool) -> str:
    if is_folder:
        return _FOLDER
    return next((kind for ending, kind in _TYPES.items() if name.endswith(ending)), "FileInfo")


def _wanted(name: str, *, is_folder: bool, spec: Obj) -> bool:
    queries = {query.kind for query in spec.objs("query")} - {"FileQuery"}
    if queries and _type_of(name, is_folder=is_folder) not in {_QUERIES.get(kind) for kind in queries}:
        return False
    patterns = spec.texts("matchPattern")
    if spec.flag("searchCaseInsensitive"):
        name, patterns = name.lower(), [pattern.lower() for pattern in patterns]
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def read_file(center: Center, datacenter: str, datastore: str, path: str) -> bytes | None:
    """Return a file for ``GET /folder/path?dcPath=…&dsName=…``, None when it is not there.

    Raises:
        VimFault: InaccessibleDatastore.
    """
    with center.world.lock:
        found = compute.find_datastore(center.vcenter, datastore)
        if found is None or datacenter.strip("/") != center.vcenter.site:
            return None
        content = compute.files(center.world, center.vcenter, found).get(path)
        return None if content is None else content.encode()


KINDS: Final[Mapping[str, Kind]] = {
    "HostDatastoreBrowser": Table[Datastore](
        _find,
        {"datastore": lambda _scope, datastore: (tree.datastore_ref(datastore),)},
    )
}
"""The browser of each datastore."""

METHODS: Final[Methods] = {
    ("HostDatastoreBrowser", "SearchDatastore_Task"): _search,
    ("HostDatastoreBrowser", "SearchDatastoreSubFolders_Task"): _search_below,
}
"""What a browser does."""
