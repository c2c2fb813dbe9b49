"""The commands, and what happens to whatever they raise."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from useapi_runwayml_api.creations.registry import CREATIONS

from .. import __version__
from .._seam import DEFAULT_CREATION, redact
from ..errors import ContentModerated, MediaWarning, UseapiError
from . import exits, output
from .described import described

HELP = """Runway's video models through useapi.net.

The token comes from USEAPI_TOKEN, the address of another service (a simulator) from USEAPI_RUNWAYML_BASE_URL.
"""

app = App(
    name="useapi-runwayml",
    help=HELP,
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command()
RUN = "One clip, the whole way: upload, one create, which is paid, wait, download. It does not ask."
SINGLE = {
    "features": "What the plan of an account permits and has used.",
    "doctor": "Whether token, service and versions are in order; --live reports where the service differs from the document.",
    "demo": "The whole way on a simulator of its own; costs nothing.",
    "simulate": "Serves a stand-in for the paid service.",
}
DOCUMENT = "The OpenAPI document of the service, as JSON."
GROUPS = {
    "tasks": (
        "Read, wait for, download and delete tasks.",
        {
            "list": "Lists the tasks of an account.",
            "get": "Reads one task.",
            "find": "Finds the newest task that bears a reference.",
            "wait": "Waits until a task has ended, and downloads its result where --output says so.",
            "download": "Downloads the result of a task that has ended.",
            "delete": "Deletes the record of a task; what was spent stays spent.",
        },
    ),
    "assets": (
        "Upload, list, read and delete source files.",
        {
            "list": "Lists the assets of an account.",
            "inspect": "Tells what a file is, and what each endpoint would not use of it. Sends nothing.",
            "upload": "Uploads a file.",
            "get": "Reads one asset.",
            "delete": "Deletes an asset.",
        },
    ),
    "scheduler": (
        "What the service tracks now.",
        {
            "list": "Lists the tasks that the service runs and tracks now.",
            "release": "Stops tracking a task and frees its slot; the job itself still runs and costs.",
        },
    ),
    "callbacks": (
        "Receive what the service tells of tasks.",
        {
            "serve": "Prints each new state of a task, or runs a command with it.",
            "url": "The signed address to give with a create as its replyUrl.",
        },
    ),
    "batch": (
        "Many clips, durably: a crash loses no paid work.",
        {
            "run": "Checks all jobs of a file, tells what they cost, and runs them.",
            "status": "Shows where each row is. Runs nothing.",
            "worker": "Works on the batches of a database, beside other machines.",
            "resume": "Goes on where a batch was interrupted or held, and fetches what could not be fetched.",
            "retry-failed": "Tries failed rows again; where no task is left to fetch, that is paid.",
            "resolve": "Decides rows of which nobody knows whether they started a paid task.",
            "report": "A table of all rows, or a page with each clip before and after.",
        },
    ),
}
app.command(f"useapi_runwayml.cli.run:{DEFAULT_CREATION}", name="run", help=RUN)
for single, told in SINGLE.items():
    app.command(f"useapi_runwayml.cli.{single}:{single}", help=told)
app.command("useapi_runwayml.cli.document:document_command", name="document", help=DOCUMENT)
for group, (told, commands) in GROUPS.items():
    inner = App(name=group, help=told)
    for command, line in commands.items():
        inner.command(f"useapi_runwayml.cli.{group}:{command.replace('-', '_')}_command", name=command, help=line)
    app.command(inner)
for creation in CREATIONS.values():
    inner = App(name=creation.tag.replace("_", "-"), help=f"{creation.title}: {creation.about}")
    inner.command(f"useapi_runwayml.cli.run:{creation.tag}", name="run", help=RUN)
    app.command(inner)
app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)], json: bool = False, debug: bool = False
) -> Any:
    """Runs a command.

    Parameters
    ----------
    json
        Write JSON for machines, errors too.
    debug
        Show the traceback of an error, without secrets.
    """
    output.use_json(json)
    warnings.simplefilter("always", MediaWarning)
    # a step of a library's that Ctrl-C came before: nothing of it was begun, so that there is nothing to tell
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    warnings.showwarning = output.show_warning
    logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("useapi_runwayml").setLevel(logging.DEBUG if debug else logging.ERROR)
    return app(tokens, exit_on_error=False, print_error=False)


def run(arguments: Sequence[str]) -> int:
    """Runs a command and gives its exit code; whatever can be foreseen becomes a line or two on stderr."""
    output.use_json("--json" in exits.before_dashes(arguments))  # errors of the line itself too
    try:
        if (description := described(app, arguments)) is not None:
            output.emit(description, indent=1)
            return exits.OK
        exits.refuse_empty(arguments)
        result = app.meta(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        exits.hint_at_dashes(error, arguments)
        return tell(f"{error} (see useapi-runwayml --help)", exits.USAGE, error)
    except (UseapiError, ContentModerated, exits.Stop, OSError) as error:
        _traceback(arguments)
        return tell(exits.line_of(error), exits.code_of(error), error)
    except KeyboardInterrupt as error:
        _traceback(arguments)
        return tell("interrupted", exits.INTERRUPTED, error)
    except Exception as error:  # noqa: BLE001  # a defect of ours, still no traceback unless asked for
        _traceback(arguments)
        told = redact(f"{type(error).__name__}: {error}")
        return tell(f"a defect of useapi-runwayml: {told}. --debug shows where; please report it", exits.FAILED, error)
    return result if isinstance(result, int) else exits.OK


def _traceback(arguments: Sequence[str]) -> None:
    if "--debug" in exits.before_dashes(arguments):
        output.remark(redact(traceback.format_exc()).rstrip("\n"))


def tell(line: str, code: int, error: BaseException | None = None) -> int:
    """Says what happened, and what to do next."""
    line, hints = " ".join(line.split()), exits.hints_of(error)
    if output.is_json():
        told = {"error": type(error).__name__, "message": line, "exit_code": code, "next": hints}
        told |= {name: getattr(error, name) for name in ("task_id", "reply_ref", "stage") if getattr(error, name, None)}
        output.emit(told)
        return code
    output.put(f"useapi-runwayml: {line}", *hints, aside=True)
    return code
