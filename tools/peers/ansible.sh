#!/bin/bash
# Build what tests/peers drives the lab with: ansible-core in .build/ansible, an environment of its
# own, and NetApp's collection netapp.ontap alone in .build/collections. Pinned and hashed; does
# nothing when both are up to date.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
env=.build/ansible
collections=.build/collections
stamp=$(cat requirements/ansible.txt requirements/ansible-collection.txt "$0" | sha256sum | cut -d' ' -f1)

if [ "$(cat "$env/.installed" 2>/dev/null)" = "$stamp" ] && [ -d "$collections/ansible_collections/netapp/ontap" ]; then
  exit 0
fi
[ -x "$python" ] || { echo "There is no .venv yet: run make install" >&2; exit 1; }

give_up() {
  echo "NetApp's Ansible collection cannot be had: $1 failed (see above); make test needs it" >&2
  exit 1
}

echo "Installing ansible-core into $env and NetApp's collection into $collections"
rm -rf "$env" "$collections" .build/wheel
mkdir -p .build
"$python" -m venv "$env"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
"$env/bin/python" -m pip install --quiet --require-hashes -r requirements/ansible.txt \
  || give_up "pip install of requirements/ansible.txt"
"$env/bin/python" -m pip download --quiet --no-deps --require-hashes --dest .build/wheel \
  -r requirements/ansible-collection.txt || give_up "pip download of requirements/ansible-collection.txt"
"$env/bin/python" - "$collections" .build/wheel/ansible-*.whl <<'PYTHON'
import sys
import zipfile

target, wheel = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(target, [n for n in archive.namelist() if n.startswith("ansible_collections/netapp/ontap/")])
PYTHON
rm -rf .build/wheel
echo "$stamp" > "$env/.installed"
