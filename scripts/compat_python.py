"""Which of Python's public names break those who use an older version. Sources alone are read, by griffe; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import griffe
from compat_document import Change

PACKAGES = ("useapi_runwayml_api", "useapi_runwayml")
PUBLIC = (
    "useapi_runwayml",
    "useapi_runwayml_api.creations",  # all of it is at the top too; griffe does not see that through the star
    "useapi_runwayml.errors",
    "useapi_runwayml.resources",
    "useapi_runwayml.batch",
    "useapi_runwayml.callbacks",
    "useapi_runwayml.simulator",
    "useapi_runwayml.pytest_plugin",
)
DEFINES = ("useapi_runwayml.pytest_plugin",)  # the other modules are tables of what is defined elsewhere
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def changes(old: Path, new: Path) -> list[Change]:
    """Each break once: names that are gone from a public module, and what has changed of what they are or give."""
    before, after = Surface(old), Surface(new)
    found = [
        Change(name, f"{module}.{name}", "is gone")
        for module in PUBLIC
        for name in before.names[module]
        if name not in after.names[module]
    ]
    both = before.things.keys() & after.things.keys()
    for breakage in griffe.find_breaking_changes(before.module(both), after.module(both)):
        if breakage.kind is griffe.BreakageKind.CLASS_REMOVED_BASE and _private(breakage):
            continue
        _, shown, what = COLOUR.sub("", breakage.explain(griffe.ExplanationStyle.ONE_LINE)).split(": ", 2)
        parameter = shown.partition("(")[1:]
        found.append(Change(breakage.obj.name, breakage.obj.canonical_path + "".join(parameter), what))
    return list(dict.fromkeys(found))


def _private(breakage: griffe.Breakage) -> bool:
    """Whether the bases that are gone were nobody's business."""
    before, after = (
        {str(getattr(each, "canonical_path", each)) for each in value}
        for value in (breakage.old_value, breakage.new_value)
    )
    return all("._" in each for each in before - after)


class Surface:
    """What a checkout exports, and the classes that one gets from it: as what a call gives, or as an attribute."""

    def __init__(self, checkout: Path) -> None:
        folders = [checkout / "src", checkout / "generated"]
        loader = griffe.GriffeLoader(search_paths=folders, allow_inspection=False)
        for package in PACKAGES:
            loader.load(package)
        loader.resolve_aliases(implicit=True, external=False)
        self.all = loader.modules_collection
        self.things: dict[str, griffe.Object] = {}
        self.names = {module: dict(self._exported(module)) for module in PUBLIC}
        for module in PUBLIC:
            if module not in DEFINES:  # what a fixture takes are other fixtures
                for thing in self.names[module].values():
                    self._add(thing)
        waiting = list(self.things.values())
        while waiting:
            for thing in self._given(waiting.pop()):
                if thing.is_class and thing not in self.things.values():
                    self._add(thing)
                    waiting.append(thing)

    def _add(self, thing: griffe.Object) -> None:
        """By its name, or, where another thing has that already, by its whole path."""
        if self.things.setdefault(thing.name, thing) is not thing:
            self.things[thing.canonical_path] = thing

    def module(self, names: Iterable[str]) -> griffe.Module:
        """These as one module, since griffe compares modules."""
        surface = griffe.Module("surface")
        surface.members.update({name: self.things[name] for name in sorted(names)})
        return surface

    def _exported(self, path: str) -> Iterator[tuple[str, griffe.Object]]:
        module = self._find(path)
        if module is None:
            return
        for name, member in module.members.items():
            thing = self._find(member.target_path if isinstance(member, griffe.Alias) else member.path)
            if thing is None or thing.is_module or name.startswith("_"):
                continue
            table = member.is_alias and not (member.runtime and thing.is_attribute)  # of what is defined elsewhere
            if name in module.exports if module.exports else not member.is_alias if path in DEFINES else table:
                yield name, thing

    def _given(self, owner: griffe.Object) -> Iterator[griffe.Object]:
        for member in owner.all_members.values() if owner.is_class else ():
            target = self._find(member.canonical_path) if member.is_public else None
            told = target.annotation if isinstance(target, griffe.Function | griffe.Attribute) else None
            for each in told.iterate(flat=True) if isinstance(told, griffe.Expr) else ():
                thing = self._find(each.canonical_path) if isinstance(each, griffe.ExprName) else None
                if thing is not None:
                    yield thing

    def _find(self, path: str) -> griffe.Object | None:
        """What is ours; None for what is of others."""
        try:
            found = self.all.get_member(path) if path.split(".")[0] in PACKAGES else None
            return found.final_target if isinstance(found, griffe.Alias) else found
        except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
            return None
