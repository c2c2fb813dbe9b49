"""`useapi-runwayml features`: what the plan permits and has used."""

from __future__ import annotations

from .. import Features, RunwayClient
from .._seam import amount
from . import output


def credits_of(found: Features) -> dict[str, object]:
    """The numbers that people ask for."""
    permitted = found.permitted.num_plan_credits if found.permitted else None
    used = found.used.num_plan_credits if found.used else None
    left = permitted - used if permitted is not None and used is not None else None
    storage = found.permitted.storage_gb if found.permitted else None
    values = {"credits": permitted, "used": used, "left": left, "storage GB": storage}
    return {name: None if value is None else amount(value) for name, value in values.items()}


def features(*, email: str | None = None) -> None:
    """Shows what the plan of an account permits and has used.

    Parameters
    ----------
    email
        The account.
    """
    with RunwayClient() as runway:
        found = runway.features.retrieve(email=email)
    output.show(found.to_dict(), lambda: output.fields(credits_of(found)))
