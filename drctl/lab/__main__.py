"""``python -m drctl.lab --inventory FILE --directory DIR``: serve an estate until SIGTERM or ``stop``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from threading import Event, Thread

import yaml

from drctl.lab.addresses import NoBlock
from drctl.lab.faults import UnknownFault
from drctl.lab.server import Lab


def main() -> int:
    """Serve; print one JSON line when ready; 0 at the end, 2 for what cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m drctl.lab", description=__doc__)
    parser.add_argument("--inventory", type=Path, required=True, help="inventory, YAML or JSON")
    parser.add_argument(
        "--directory", type=Path, required=True, help="where to write the rendered copy and keys"
    )
    parser.add_argument("--speed", type=float, default=60.0, help="estate seconds per second")
    parser.add_argument("--attached", action="store_true", help="end with the standard input")
    parser.add_argument("--fault", action="append", default=[], help="name[:target][:once], repeatable")
    options = parser.parse_args()
    try:
        inventory = yaml.safe_load(options.inventory.read_text(encoding="utf-8"))
        lab = Lab(inventory, options.directory, options.speed, options.fault)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: lab.stopped.set())
        if options.attached:
            Thread(target=_end_with_input, args=(lab.stopped,), daemon=True).start()
        with lab:
            print(json.dumps(lab.info()), flush=True)  # noqa: T201 - the one line that says it is ready
            lab.stopped.wait()
    except (OSError, yaml.YAMLError, UnknownFault, NoBlock) as problem:
        sys.stderr.write(f"the lab cannot be served: {problem}\n")
        return 2
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        sys.stderr.write(f"the lab cannot serve this inventory, check it first: {problem!r}\n")
        return 2
    return 0


def _end_with_input(stopped: Event) -> None:
    """Wait for the end of the standard input: whoever started this lab is gone, however it ended."""
    while sys.stdin.buffer.read(1):
        pass
    stopped.set()


if __name__ == "__main__":
    sys.exit(main())
