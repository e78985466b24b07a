#!/bin/sh
# Print the path of a Python that can run drctl (3.11 or later); $PYTHON, when set, is the only candidate.
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
  found=$("$name" -c 'import sys; print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null)
  if [ -n "$found" ]; then
    echo "$found"
    exit 0
  fi
done
echo "drctl needs Python 3.11 or later: none found as ${PYTHON:-python3}; set PYTHON=/path/to/python3" >&2
exit 1
