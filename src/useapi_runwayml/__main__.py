"""The command line: `useapi-runwayml`, or `python -m useapi_runwayml`."""

import signal
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        import cyclopts  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        sys.exit("useapi-runwayml: the command line needs more: pip install 'useapi-runwayml[cli]'")
    from .cli import streams

    streams.hold()
    from .cli.app import run

    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)
    code = run(sys.argv[1:])
    streams.let_go()
    sys.exit(code)


def _interrupt(*_: object) -> None:
    """Whoever ends this process gets the receipt as with Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
