"""The command line: `useapi-runwayml`, or `python -m useapi_runwayml`."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        import cyclopts  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        sys.exit("useapi-runwayml: the command line needs more: pip install 'useapi-runwayml[cli]'")
    from .cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
