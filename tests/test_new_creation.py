"""One more creation is one edit of the document, and nothing in the hand-written code names a single one."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from useapi_runwayml_api.creations.registry import CREATIONS

from .test_generated import ROOT, fresh_tree

sys.path.insert(0, str(ROOT / "openapi" / "generator"))
sys.path.insert(0, str(ROOT / "scripts"))

import creations
import generate
from refusals import refusals
from views import Document

PATH = """
  /gen3/video:
    post:
      operationId: createGen3Video
      tags: [gen3_video]
      summary: Start a generation of the third kind.
      x-creation: {source: clipId, prompt: words, title: Third, task-type: gen3}
      security: [{bearerToken: []}]
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Gen3VideoRequest'}
      responses:
        '200':
          description: The job was accepted.
          content: {application/json: {schema: {$ref: '#/components/schemas/TaskAnswer'}}}
        '400': {$ref: '#/components/responses/BadRequest'}
        '429': {$ref: '#/components/responses/Busy'}
        5XX: {$ref: '#/components/responses/GatewayFailure'}
"""
SCHEMA = """
    Gen3VideoRequest:
      type: object
      description: What to make of which clip.
      required: [clipId, words]
      additionalProperties: true
      properties:
        clipId: {description: The clip., $ref: '#/components/schemas/Identifier'}
        words: {type: string, description: What the result should look like., minLength: 1}
        structure_transformation: {type: number, description: How far it departs., minimum: 0, maximum: 1, default: 0.5}
        mode: {type: string, description: How it is made., enum: [fast, slow]}
        length: {type: integer, description: Seconds of the result., enum: [4, 8], default: 4, x-role: seconds}
        replyUrl: {type: string, description: Where callbacks go., maxLength: 1024}
        replyRef: {type: string, description: A reference., maxLength: 1024}
        maxJobs: {type: integer, description: Tasks at once., minimum: 1, maximum: 10, x-role: slots}
"""


@pytest.mark.slow
def test_a_third_creation_needs_one_edit_of_the_document(tmp_path: Path) -> None:
    """With its path and its schema in a copy of the document, clients, command line, batch and simulator have it."""
    root = fresh_tree(tmp_path, "third")
    document = root / "openapi" / "useapi-runwayml.yaml"
    text = document.read_text(encoding="utf-8")
    text = text.replace("\npaths:\n", f"\npaths:{PATH}", 1).replace("\n  schemas:\n", f"\n  schemas:{SCHEMA}", 1)
    document.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "scripts/generate.py"], cwd=root, check=True)
    paths = [str(root / "generated"), str(ROOT / "src"), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.third_creation"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]


DATA = generate.load_document()
CREATE = DATA["paths"]["/gen3turbo/video"]["post"]


def test_nothing_hand_written_names_a_creation() -> None:
    """No operation, path, model or field that creations alone have stands in src/, but the default of the command line."""
    named = {"video_to_video", "videotovideo", "video-to-video"}
    fields = set()
    for path, entry in DATA["paths"].items():
        for operation in entry.values():
            if isinstance(operation, dict) and "x-creation" in operation:
                named |= {operation["operationId"].lower(), path, *operation["tags"]}
                body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                fields |= set(DATA["components"]["schemas"][body]["properties"])
    for each in CREATIONS.values():
        fields |= {option.name for option in each.options}
    everybodys = {
        "replyRef",
        "reply_ref",
        "replyUrl",
        "reply_url",
        "text_prompt",
        "seed",
        "seconds",
        "assetId",
        "asset_id",
        "max_jobs",
        "resolution",
    }
    named |= {re.escape(each).lower() for each in fields - everybodys}
    pattern = re.compile("|".join(sorted(named)))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line.lower())
    ]
    assert [line.partition(": ")[2] for line in found] == ['DEFAULT_CREATION = "video_to_video"'], found


def of_field(**more: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a field of the request."""
    return lambda data: data["components"]["schemas"]["VideoToVideoRequest"]["properties"]["seed"].update(more)


def of_create(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda data: change(data["paths"]["/gen3turbo/video"]["post"])


def again(data: dict[str, Any]) -> None:
    data["paths"]["/gen3turbo/again"] = {"post": {**CREATE, "operationId": "createAgain"}}


REFUSED: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("VideoToVideoRequest.seed: 'exclusiveMinimum' cannot be held", of_field(exclusiveMinimum=0)),
    ("VideoToVideoRequest.seed: 'const' cannot be held", of_field(const=7)),
    ("VideoToVideoRequest.seed: 'oneOf' cannot be held", of_field(oneOf=[{"type": "integer"}])),
    ("VideoToVideoRequest.seed: type must be one of", of_field(type="object")),
    ("VideoToVideoRequest.seed: type must be one of", of_field(type=["integer", "null"])),
    ("VideoToVideoRequest.seed: all values of enum must have the type integer", of_field(enum=[1, "two"])),
    ("additionalProperties must be true", lambda data: data["components"]["schemas"]["VideoToVideoRequest"].update(additionalProperties=False)),
    ("it must be in the path or the query, not in header", lambda data: data["paths"]["/tasks/"]["get"]["parameters"].append({"name": "X", "in": "header", "schema": {"type": "string"}})),
    ("an answer must be for a status, or for a range such as 5XX, not 'default'", of_create(lambda create: create["responses"].update(default=create["responses"]["400"]))),
    ("there is no colour", of_create(lambda create: create["x-creation"].update(colour="red"))),
    ("its source 'clip' is no field of VideoToVideoRequest", of_create(lambda create: create["x-creation"].update(source="clip"))),
    ("its prompt 'words' is no field", of_create(lambda create: create["x-creation"].update(prompt="words"))),
    ("it needs one tag", of_create(lambda create: create.update(tags=[]))),
    ("must be a lower-case Python name", of_create(lambda create: create.update(tags=["video-to-video"]))),
    ("is that of createVideoToVideo already", again),
    ("x-credits-per-second must be a number", of_create(lambda create: create.update({"x-credits-per-second": "five"}))),
    ("must have replyRef", lambda data: data["components"]["schemas"]["VideoToVideoRequest"]["properties"].pop("replyRef")),
    ("must be a JSON schema of its own", of_create(lambda create: create.pop("requestBody"))),
    ("it cannot have parameters besides its body", of_create(lambda create: create.update(parameters=[{"$ref": "#/components/parameters/Offset"}]))),
]  # fmt: skip


@pytest.mark.parametrize(("told", "change"), REFUSED, ids=[told for told, _ in REFUSED])
def test_what_cannot_be_generated_is_refused_in_words(told: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """What OpenAPI allows and the templates cannot keep to is told with its place; the document as it is has none of it."""
    data = copy.deepcopy(DATA)
    assert said_of(data) == ""
    change(data)
    assert told in said_of(data)


def said_of(data: dict[str, Any]) -> str:
    """What the generator says of a document."""
    document = Document(data, lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    found = list(refusals(document))
    try:
        list(creations.creations(document) if not found else ())
    except creations.Refused as error:
        found.append(str(error))
    return "\n".join(found)


@pytest.mark.slow
def test_a_refusal_is_a_line_and_no_traceback(tmp_path: Path) -> None:
    """scripts/generate.py tells the place and what is wrong, and fails; the committed client stays as it is."""
    root = fresh_tree(tmp_path, "refused")
    document = root / "openapi" / "useapi-runwayml.yaml"
    document.write_text(document.read_text(encoding="utf-8").replace("maximum: 10\n", "exclusiveMaximum: 11\n"))
    done = subprocess.run([sys.executable, "scripts/generate.py"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "'exclusiveMaximum' cannot be held by the client" in done.stderr
    assert "Traceback" not in done.stderr
    assert (
        generate.differences(ROOT / "generated" / "useapi_runwayml_api", root / "generated" / "useapi_runwayml_api")
        == ""
    )
