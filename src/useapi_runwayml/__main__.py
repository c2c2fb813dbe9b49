"""The command line: `useapi-runwayml`, or `python -m useapi_runwayml`."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        _main()
    except KeyboardInterrupt:  # before a command has begun, or after it
        sys.stderr.write("useapi-runwayml: interrupted\n")
        sys.exit(130)


def _main() -> None:
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP: it stays so
            signal.signal(number, _interrupt)
    try:
        import cyclopts  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        sys.exit("useapi-runwayml: the command line needs more: pip install 'useapi-runwayml[cli]'")
    from .cli import streams

    streams.hold()
    from .cli.app import run

    sys.exit(run(sys.argv[1:]))


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Whoever ends this process gets the receipt as with Ctrl-C, in the same way: where a loop runs, its tasks end first."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    else:  # Ctrl-C is ignored here, as behind a shell's &
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
