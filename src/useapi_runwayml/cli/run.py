"""`useapi-runwayml run`, and `useapi-runwayml CREATION run`: one clip, the whole way. The options come from the registry."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from useapi_runwayml_api.creations.base import Creation, Option
from useapi_runwayml_api.creations.registry import CREATIONS

from .. import RunwayClient
from .._seam import is_asset_id
from . import output
from .exits import command, json_object
from .receiving import NOWHERE, Called, receiving
from .receiving import Options as CallbackOptions
from .reuse import Reuse
from .telling import resuming, telling
from .values import Place, Whole

TYPES: dict[str, Any] = {"integer": Whole, "number": float, "boolean": bool, "string": str}


def __getattr__(name: str) -> Any:
    """The command of a creation, by its tag."""
    if name not in CREATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return command_of(CREATIONS[name])


def command_of(creation: Creation) -> Callable[..., None]:
    """A function whose parameters are those of the creation, as the command line shows them."""

    def run(video: str, prompt: str, **given: Any) -> None:
        _run(creation, video, prompt, **given)

    parameters = list(_parameters(creation))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _parameters(creation: Creation) -> list[inspect.Parameter]:
    """What is given for every creation, with its own options in between."""
    positional, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY

    def told(
        name: str, kind: Any, text: str, default: Any = inspect.Parameter.empty, /, **more: Any
    ) -> inspect.Parameter:
        place = positional if name in ("video", "prompt") else named
        return inspect.Parameter(name, place, default=default, annotation=Annotated[kind, Parameter(help=text, **more)])

    def own(option: Option) -> inspect.Parameter:
        more = " A unique one is made unless given." if option.name == "reply_ref" else ""
        if option.role == "seconds":
            price = creation.credits_per_second
            more = " What they cost is not known." if price is None else f" Each costs {price} credits."
        return told(option.name, TYPES[option.type] | None, option.help + more, None)

    return [
        told("video", str, "The clip: a path, or the id of an asset."),
        told("prompt", str, creation.prompt.help),
        told("destination", Place, "The file, or a folder that exists, for the result.", name=["--output", "-o"]),
        told("overwrite", bool, "Replace a file that exists, once the result is there.", False),
        *([told("image", str | None, creation.image.help + " A path, or an id.", None)] if creation.image else []),
        *map(own, creation.options),
        told("extra_body", str, "Fields that this package does not know yet, as a JSON object.", "{}"),
        told("encoding", Literal[tuple(creation.encodings)], "How the fields go; multipart is a form.", "json"),
        told("timeout", float, "Seconds to wait for the end; the task goes on after that.", 3600.0),
        told("busy_timeout", float, "Seconds to wait for a free slot.", 600.0),
        inspect.Parameter("called", named, default=NOWHERE, annotation=CallbackOptions),
        told("reuse", bool, "Use the upload of a run before, if it was of the same file and still exists.", True),
        told("delete_asset", bool, "Delete the upload once the result is there; none of before is used then.", False),
    ]


def _file(given: str) -> str | Path:
    return given if is_asset_id(given) else Path(given)


def _run(
    creation: Creation,
    video: str,
    prompt: str,
    *,
    destination: Path,
    image: str | None = None,
    overwrite: bool = False,
    extra_body: str = "{}",
    timeout: float = 3600,
    reuse: bool = True,
    delete_asset: bool = False,
    reply_ref: str | None = None,
    called: Called = NOWHERE,
    **options: Any,
) -> None:
    reference = reply_ref or f"useapi-runwayml-{uuid.uuid4().hex}"
    extra = json_object("--extra-body", extra_body)
    again = ["--overwrite"] if overwrite else []

    def resume(task_id: str) -> str:
        return f"Resume with: {command('tasks', 'wait', task_id, '-o', destination, *again)}"

    with (
        receiving(called) as callbacks,
        RunwayClient(callbacks=callbacks) as runway,
        telling(receipt=True) as story,
        resuming(story, reference, resume),
    ):
        known = Reuse(runway, creation, options, story) if reuse and not delete_asset else None
        clip = known.source(video) if known else _file(video)
        guide = None if image is None else known.image(image, clip) if known else _file(image)
        done, path = getattr(runway, creation.tag).run(
            clip,
            prompt,
            destination=destination,
            overwrite=overwrite,
            **({} if guide is None else {"image": guide}),
            timeout=timeout,
            keep_asset=not delete_asset,
            on_progress=known or story,
            reply_ref=reference,
            extra_body=extra,
            **options,
        )
    size = path.stat().st_size
    data = {
        "stage": story.last.stage,
        "task_id": done.task_id,
        "reply_ref": reference,
        "path": str(path),
        "bytes": size,
    }
    output.show(data, lambda: output.put(f"Result: {path} ({size} bytes)"))
