"""What an operation that starts paid tasks is, by the document alone: its fields, its price, and how its tasks show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .contract import Contract, Operation


class Model:
    """One creation: it reads requests by what the document says of their fields, whatever they are called."""

    def __init__(self, contract: Contract, operation: Operation) -> None:
        marked = operation.data["x-creation"] or {}
        schema = contract.follow(operation.body_schema)
        self.operation: str = operation.id
        self.source: str = marked["source"]
        self.image: str | None = marked.get("image")
        self.needs: list[str] = marked.get("needs", [])
        self.prompt: str = marked.get("prompt", "text_prompt")
        self.title: str = marked.get("title", operation.data["tags"][0])
        self.task_type: str | None = marked.get("task-type")
        self._price: float | None = operation.data.get("x-credits-per-second")
        fields = {name: {**contract.follow(part), **part} for name, part in schema["properties"].items()}
        shown = contract.data["components"]["schemas"]["TaskOptions"]["properties"]
        off = {name: False for name, part in fields.items() if part.get("type") == "boolean"}
        self._left_out: dict[str, Any] = {**off, **operation.defaults}
        self._roles = {part["x-role"]: name for name, part in fields.items() if "x-role" in part}
        self._sizes = {name: part["x-sizes"] for name, part in fields.items() if "x-sizes" in part}
        self._echoes = {name: part.get("x-echo-divisor") for name, part in fields.items() if name in shown}

    def _of(self, request: Mapping[str, Any], role: str) -> Any:
        """The value of the field with this role; None when there is no such field, or no value."""
        name = self._roles.get(role, "")
        return request.get(name, self._left_out.get(name))

    def slots(self, request: Mapping[str, Any]) -> int | None:
        """How many tasks the request lets the account run at once."""
        found: int | None = self._of(request, "slots")
        return found

    def seconds(self, request: Mapping[str, Any]) -> float | None:
        """Seconds of the result."""
        found: float | None = self._of(request, "seconds")
        return found

    def cost(self, request: Mapping[str, Any]) -> float | None:
        """Credits; None where the price is not known."""
        seconds = self.seconds(request)
        if self._of(request, "free"):
            return 0
        return None if self._price is None or seconds is None else self._price * seconds

    def size(self, request: Mapping[str, Any]) -> tuple[int, int] | None:
        """Width and height of the result; None where the document does not tell them."""
        for name, sizes in self._sizes.items():
            if found := sizes.get(request.get(name, self._left_out.get(name))):
                return found[0], found[1]
        return None

    def echoes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that a task shows among its options, as it shows them; a switch that was left out is off."""
        whole = {**self._left_out, **request}
        return {
            name: whole[name] if divisor is None else whole[name] / divisor
            for name, divisor in self._echoes.items()
            if name in whole
        }
