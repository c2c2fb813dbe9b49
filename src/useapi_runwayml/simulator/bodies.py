"""Bodies of creations: JSON, or the same fields as a form."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from .contract import MULTIPART, Schema, as_typed
from .wire import Blob, Request


class Unreadable(ValueError):
    """A body that is not what its media type says; the text says why."""


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def unpacked(request: Request, most: int) -> Request:
    """The same request, with its body as it was before it was packed by gzip."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return request
    if coding != "gzip":
        raise Unreadable(f"Content-Encoding {coding} is not supported: gzip")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        body = unpacking.decompress(request.body.read(), most + 1)
    except zlib.error:
        raise Unreadable("The body is no gzip") from None
    if len(body) > most or not unpacking.eof:
        raise Unreadable("The body is too large, or not whole")
    return replace(request, body=Blob([body]))


def read_json(request: Request) -> Any:
    try:
        return json.loads(request.body.read())
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is no JSON: {error}") from None


def read_form(request: Request, properties: Mapping[str, Schema]) -> dict[str, Any]:
    """The fields of a form, as the types that the document wants."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if b"boundary" not in options:
        raise Unreadable("The form has no boundary")
    found: dict[str, str] = {}

    def keep(part: Any) -> None:
        name = (part.field_name or b"").decode("utf-8", "replace")
        if hasattr(part, "file_object"):
            part.file_object.seek(0)
            value = part.file_object.read()
        else:
            value = part.value or b""
        found[name] = value.decode("utf-8", "replace")

    headers = {"Content-Type": request.headers["content-type"].encode()}
    try:
        parser = create_form_parser(headers, keep, keep)
        parser.write(request.body.read())
        parser.finalize()
    except FormParserError as error:
        raise Unreadable(f"The form cannot be read: {error}") from None
    return {name: as_typed(text, properties.get(name, {})) for name, text in found.items()}


def read(request: Request, properties: Mapping[str, Schema]) -> Any:
    return read_form(request, properties) if media_type(request) == MULTIPART else read_json(request)
