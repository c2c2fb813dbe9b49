"""Values of options that are taken as they are meant, or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter


def _whole(_: Any, tokens: Sequence[Any]) -> int:
    """49.6 credits are neither 49 nor 50: cyclopts would round them."""
    try:
        return int(tokens[0].value)
    except ValueError:
        number = float(tokens[0].value)
    if not number.is_integer():
        raise ValueError("it takes a whole number")
    return int(number)


Whole = Annotated[int, Parameter(converter=_whole)]


def _place(_: Any, tokens: Sequence[Any]) -> Path:
    """A path loses the slash at its end, and with it that a folder was meant."""
    text = str(tokens[0].value)
    if text.endswith((os.sep, "/")) and not Path(text).is_dir():
        raise ValueError(f"there is no folder {text}")
    return Path(text)


Place = Annotated[Path, Parameter(converter=_place)]
"""Where a result goes: a file, or a folder that exists."""
