"""The commands, and what happens to whatever they raise."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from .. import __version__
from ..errors import ContentModerated, UseapiError
from . import exits

app = App(
    name="useapi-runwayml",
    help="Runway's Gen-3 Alpha Turbo Video to Video through useapi.net.",
    version=__version__,
    result_action="return_value",
)
app.command("useapi_runwayml.cli.demo:demo")
app.command("useapi_runwayml.cli.simulate:simulate")


def run(arguments: Sequence[str]) -> int:
    """Runs a command and gives its exit code; whatever can be foreseen becomes one line on stderr."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return tell(f"{error} (see useapi-runwayml --help)", exits.USAGE)
    except (UseapiError, ContentModerated, exits.Stop, OSError) as error:
        return tell(exits.line_of(error), exits.code_of(error))
    except KeyboardInterrupt:
        return tell("interrupted", exits.INTERRUPTED)
    return result if isinstance(result, int) else exits.OK


def tell(line: str, code: int) -> int:
    print(f"useapi-runwayml: {' '.join(line.split())}", file=sys.stderr)
    return code
