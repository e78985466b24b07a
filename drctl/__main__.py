"""``python -m drctl`` and the console script."""

import sys


def main() -> None:
    """Run drctl; ``--version`` answers before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        from drctl import __version__  # noqa: PLC0415 - kept out of every other start

        print(f"drctl {__version__}")  # noqa: T201 - the answer itself
        return
    from drctl.cli.main import run  # noqa: PLC0415 - kept out of --version

    sys.exit(run())


if __name__ == "__main__":
    main()
