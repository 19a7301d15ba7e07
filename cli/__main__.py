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
    finally:
        _forget_the_interrupt()


def _forget_the_interrupt() -> None:
    """Let `python -m pgan_cli` exit with its own code after a Ctrl-C that was dealt with.

    CPython ends `python -m` by SIGINT if the last string that it executed was interrupted, even
    where the exception was caught; dataclasses execute strings, so a Ctrl-C during an import can
    be such a one. Executing another string clears that flag (run_eval_code_obj in pythonrun.c).
    """
    exec("")  # noqa: S102 - an empty string


if __name__ == "__main__":
    main()
