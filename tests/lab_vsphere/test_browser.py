"""Looking into datastores: searches, and files over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pyVmomi import vim
from vcenter_client import Client, finish, named

from drctl.lab.world import World

Spec = vim.host.DatastoreBrowser.SearchSpec
FILE = "/folder/ris-db01/ris-db01.vmx?dcPath=paris&dsName=ds_ris"


def test_every_vmx_of_a_datastore_is_found(content: Any):
    browser = named(content, vim.Datastore, "ds_ris").browser
    results = finish(browser.SearchDatastoreSubFolders_Task("[ds_ris]", Spec(matchPattern=["*.vmx"])))
    found = {result.folderPath: [file.path for file in result.file] for result in results}
    assert found == {
        "[ds_ris]": [],
        "[ds_ris] ris-app01/": ["ris-app01.vmx"],
        "[ds_ris] ris-db01/": ["ris-db01.vmx"],
        "[ds_ris] ris-worklist01/": ["ris-worklist01.vmx"],
    }


def test_files_have_types_and_sizes_when_asked(content: Any):
    browser = named(content, vim.Datastore, "ds_ris").browser
    details = vim.host.DatastoreBrowser.FileInfo.Details(fileType=True, fileSize=True, modification=False)
    query = [vim.host.DatastoreBrowser.VmConfigQuery(), vim.host.DatastoreBrowser.FolderQuery()]
    root = finish(browser.SearchDatastore_Task("[ds_ris]", Spec(query=query, details=details)))
    assert [type(file) for file in root.file] == [vim.host.DatastoreBrowser.FolderInfo] * 3
    result = finish(browser.SearchDatastore_Task("[ds_ris] ris-db01", Spec(query=query, details=details)))
    (file,) = result.file
    assert isinstance(file, vim.host.DatastoreBrowser.VmConfigInfo)
    assert file.fileSize > 100


def test_a_folder_that_is_not_there(content: Any):
    browser = named(content, vim.Datastore, "ds_ris").browser
    with pytest.raises(vim.fault.FileNotFound) as caught:
        finish(browser.SearchDatastore_Task("[ds_ris] nobody"))
    assert caught.value.file == "[ds_ris] nobody"
    with pytest.raises(vim.fault.InvalidDatastore):
        finish(browser.SearchDatastore_Task("[ds_pacs]"))
    with pytest.raises(vim.fault.InvalidDatastorePath):
        browser.SearchDatastore_Task("ris-db01")


def test_a_datastore_out_of_reach_is_not_searched(world: World, content: Any):
    browser = named(content, vim.Datastore, "ds_ris").browser
    world.faults.add("datastore-inaccessible:ds_ris")
    with pytest.raises(vim.fault.InaccessibleDatastore) as caught:
        finish(browser.SearchDatastore_Task("[ds_ris]"))
    assert caught.value.datastore == named(content, vim.Datastore, "ds_ris")


def test_a_vmx_is_read_with_a_session_or_a_password(paris: Client, content: Any):
    status, text = paris.get(FILE, Cookie=content.rootFolder._stub.cookie)
    assert status == 200
    assert b'displayName = "ris-db01"' in text
    login = base64.b64encode(f"{paris.vcenter.username}:{paris.vcenter.password}".encode()).decode()
    assert paris.get(FILE, Authorization=f"Basic {login}") == (status, text)
    assert paris.get(FILE)[0] == 401
    assert paris.get(FILE, Authorization="Basic !")[0] == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/folder/ris-db01/nobody.vmx?dcPath=paris&dsName=ds_ris", 404),
        ("/folder/ris-db01/ris-db01.vmx?dcPath=lyon&dsName=ds_ris", 404),
        ("/folder/ris-db01/ris-db01.vmx?dcPath=paris&dsName=nothing", 404),
        ("/folder/ris-db01/ris-db01.vmx", 404),
        ("/folder/ris%2ddb01/ris-db01.vmx?dcPath=%2Fparis&dsName=ds_ris", 200),
    ],
)
def test_file_addresses(paris: Client, content: Any, path: str, status: int):
    assert paris.get(path, Cookie=content.rootFolder._stub.cookie)[0] == status


def test_a_file_out_of_reach_is_an_error(paris: Client, world: World, content: Any):
    world.faults.add("datastore-inaccessible:ds_ris")
    assert paris.get(FILE, Cookie=content.rootFolder._stub.cookie)[0] == 500
