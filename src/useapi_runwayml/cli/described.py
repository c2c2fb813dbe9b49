"""Help and version for machines: what a person reads, and the same in parts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from cyclopts import App

HELP, VERSION = ("--help", "-h"), "--version"
PLAIN = (str, int, float, bool, type(None))


def described(app: App, arguments: Sequence[str]) -> dict[str, Any] | None:
    """What --json has to tell of these arguments without running anything; None when they are a command to be run."""
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if "--json" not in words:
        return None
    chain, apps, unused = app.parse_commands(
        [each for each in words if each not in ("--json", "--debug", *HELP, VERSION)]
    )
    asked = any(each in words for each in HELP)
    if VERSION in words and not asked:
        return {"version": app.version}
    if not asked and (unused or apps[-1].default_command is not None):
        return None
    return _told(app, chain, apps[-1])


def _told(app: App, chain: Sequence[str], found: App) -> dict[str, Any]:
    from rich.console import Console

    shown = io.StringIO()
    app.help_print(list(chain), console=Console(file=shown, width=100, color_system=None))
    return {
        "command": " ".join([*app.name, *chain]),
        "help": shown.getvalue(),
        "commands": list(_commands(found)),
        "parameters": [] if found.default_command is None else list(_parameters(found)),
    }


def _commands(found: App) -> Iterator[dict[str, str]]:
    for name, inner in found.resolved_commands().items():
        if not name.startswith("-"):
            yield {"name": name, "help": str(inner.help or "").strip()}


def _parameters(found: App) -> Iterator[dict[str, Any]]:
    """All that may be given, as it is called; what has no default is required."""
    for each in found.assemble_argument_collection():
        if not each.show:
            continue
        told = {"names": list(each.names), "help": each.parameter.help or "", "required": each.required}
        default = each.field_info.default
        if not each.required:
            told["default"] = (
                default if isinstance(default, PLAIN) else str(default) if isinstance(default, PurePath) else None
            )
        if get_origin(each.hint) is Literal:
            told["choices"] = list(get_args(each.hint))
        yield told
