"""Every public name of the package, as directives of autodoc. A name that is new is there without an edit here."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import useapi_runwayml_api.creations as generated_creations
from code_tables import documented
from sphinx.errors import ExtensionError

import useapi_runwayml
from useapi_runwayml import AsyncRunwayClient, RunwayClient, pytest_plugin
from useapi_runwayml import errors as all_errors

PACKAGE = "useapi_runwayml"
CLIENTS = (RunwayClient, AsyncRunwayClient)


def block(lines: Iterable[str]) -> str:
    """reStructuredText, within a page of Markdown."""
    return "\n".join(["````{eval-rst}", *lines, "````", ""])


def directive(module: str, name: str) -> list[str]:
    """How autodoc shows a name: a class with its members, a function, or a value. How a client makes its resources is nobody's business."""
    found = getattr(import_module(module), name)
    if inspect.isclass(found):
        others = [each.__name__ for each in found.__mro__ if not each.__module__.startswith(PACKAGE)]
        inherited = f"   :inherited-members: {', '.join(others)}"
        made = "()" if hasattr(found, "create") or found.__module__.startswith(f"{PACKAGE}.resources") else ""
        return [f".. autoclass:: {module}.{name}{made}", "   :members:", inherited, ""]
    if inspect.isfunction(found):
        return [f".. autofunction:: {module}.{name}", ""]
    return [f".. py:data:: {name}", f"   :module: {module}", "", f"   {text_beneath(name)}", ""]


def text_beneath(name: str) -> str:
    """What stands beneath a value where it is made, which autodoc does not look for behind an import."""
    for package in (PACKAGE, "useapi_runwayml_api"):
        for path in Path(str(import_module(package).__file__)).parent.rglob("*.py"):
            for found, meaning in documented(path):
                if found == name:
                    return meaning
    raise ExtensionError(f"{name} has no text beneath it where it is made")


def public(module: str, names: Iterable[str]) -> str:
    return block(line for name in names for line in directive(module, name))


def clients() -> str:
    """Both clients, without the resources, which have a page of their own."""
    own = {name for client in CLIENTS for name in homes(client)}
    lines = []
    for client in CLIENTS:
        lines += [f".. autoclass:: {PACKAGE}.{client.__name__}", "   :members:", "   :inherited-members:"]
        lines += [f"   :exclude-members: {', '.join(sorted(own))}", ""]
        for name, kind in homes(client).items():
            lines += [f"   .. py:attribute:: {name}", f"      :type: {kind.__name__}", ""]
            lines += [f"      {told(client, name)}", ""]
    return block(lines)


def told(client: type, name: str) -> str:
    """What a lazy attribute says of itself; asked of the class it gives the class behind it."""
    (found,) = [vars(each)[name] for each in client.__mro__ if name in vars(each)]
    return inspect.getdoc(found) or ""


def homes(client: type) -> dict[str, type]:
    """The resources of a client by their names."""
    names = [name for each in client.__mro__ for name, value in vars(each).items() if type(value).__name__ == "Lazy"]
    return {name: getattr(client, name) for name in sorted(names)}


def creations() -> str:
    """The classes and options of all creations."""
    return public(PACKAGE, sorted(generated_creations.__all__, key=lambda name: (name.removeprefix("Async"), name)))


def resources() -> str:
    """The classes behind `client.tasks` and its like, with what their lists give back."""
    lines: list[str] = []
    for name in homes(RunwayClient):
        for client in CLIENTS:
            kind = homes(client)[name]
            if kind.__name__ not in generated_creations.__all__:
                lines += directive(f"{PACKAGE}.resources", kind.__name__)
    for name in ("Endings", "AsyncEndings"):
        lines += directive(f"{PACKAGE}.resources", name)
    return block(lines)


def values() -> str:
    """What is left of the package's names: answers, progress, and kinds of arguments."""
    elsewhere = {"__version__", *(each.__name__ for each in CLIENTS), *generated_creations.__all__, *all_errors.__all__}
    return public(PACKAGE, [name for name in useapi_runwayml.__all__ if name not in elsewhere])


def errors() -> str:
    """All errors, the warning, and Problem."""
    return public("useapi_runwayml.errors", all_errors.__all__)


def simulator() -> str:
    """What the simulator exports, and what `faults` and `paid` are."""
    behind = [
        *directive("useapi_runwayml.simulator.faults", "Faults"),
        *directive("useapi_runwayml.simulator.world", "Paid"),
    ]
    return public("useapi_runwayml.simulator", import_module("useapi_runwayml.simulator").__all__) + block(behind)


def callbacks() -> str:
    return public("useapi_runwayml.callbacks", import_module("useapi_runwayml.callbacks").__all__)


def batch() -> str:
    """What can be imported of the batch, or that nothing can."""
    names = getattr(import_module("useapi_runwayml.batch"), "__all__", [])
    return public("useapi_runwayml.batch", names) if names else "The modules of `useapi_runwayml.batch` are private.\n"


def fixtures() -> str:
    """The fixtures of the pytest plugin, as pytest knows them."""
    lines: list[str] = []
    for name, found in vars(pytest_plugin).items():
        if "Fixture" in type(found).__name__:
            lines += [f".. py:data:: {name}", "   :module: useapi_runwayml.pytest_plugin", ""]
            lines += [f"   {line}" for line in (inspect.getdoc(found) or "").splitlines()]
            lines.append("")
    return block(lines)
