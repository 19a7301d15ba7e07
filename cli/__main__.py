"""The program `pgan-toolkit`, also `python -m pgan_cli`: quiet at Ctrl-C from its first moment on.

All that takes time to import, `pgan_cli.main` tells of itself; the import of that is guarded here.
"""

import sys

__all__ = ["main"]

_INTERRUPTED = 130  # pgan_toolkit.errors has it too, and is among what is being imported


def main() -> None:
    """Run the command line and exit, as `pgan_cli.main.main` does."""
    try:
        from pgan_cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
