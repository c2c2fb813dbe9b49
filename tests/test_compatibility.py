"""What breaks those who upgrade is found, and needs a version and an entry of its own."""

from __future__ import annotations

import copy
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import compat  # noqa: E402
import compat_document  # noqa: E402
import compat_python  # noqa: E402

Document = dict[str, Any]

DOCUMENT: Document = {
    "paths": {
        "/jobs/{jobId}": {
            "parameters": [{"$ref": "#/components/parameters/JobId"}],
            "post": {
                "operationId": "startJob",
                "parameters": [{"name": "email", "in": "query", "schema": {"type": ["string", "null"]}}],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Request"}},
                        "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Request"}},
                    }
                },
                "responses": {"200": {"$ref": "#/components/responses/Job"}, "404": {"description": "No such job."}},
                "callbacks": {
                    "changed": {
                        "{$request.body#/url}": {
                            "post": {
                                "operationId": "jobChanged",
                                "requestBody": {
                                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
                                },
                                "responses": {"200": {"description": "Taken."}},
                            }
                        }
                    }
                },
            },
        }
    },
    "components": {
        "parameters": {"JobId": {"name": "jobId", "in": "path", "required": True, "schema": {"type": "string"}}},
        "responses": {"Job": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}}},
        "schemas": {
            "Request": {
                "type": "object",
                "required": ["clip"],
                "properties": {
                    "clip": {"type": "string", "minLength": 1, "maxLength": 100},
                    "seed": {"type": "number", "minimum": 1, "maximum": 10, "default": 5},
                    "shape": {"$ref": "#/components/schemas/Shape"},
                    "more": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 10}},
                    "shade": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
                    "mood": {"allOf": [{"enum": ["calm", "wild"]}]},
                    "urls": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                },
            },
            "Shape": {"type": "string", "enum": ["wide", "tall"]},
            "Job": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string"},
                    "progress": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                    "parent": {"$ref": "#/components/schemas/Job"},
                },
            },
        },
    },
}


def changed(change: Callable[[Document, Document, Document, Document], object]) -> list[tuple[str, str]]:
    """The breaks that a change makes which is given the path, its operation, and the properties of request and answer."""
    new = copy.deepcopy(DOCUMENT)
    path = new["paths"]["/jobs/{jobId}"]
    request, job = (new["components"]["schemas"][name]["properties"] for name in ("Request", "Job"))
    change(path, path.get("post", {}), request, job)
    return [(each.name, each.what) for each in compat_document.changes(DOCUMENT, new)]


@pytest.mark.parametrize(
    ("change", "name", "what"),
    [
        (lambda path, op, request, job: path.pop("post"), "startJob", "is gone"),
        (lambda path, op, request, job: op.update(operationId="beginJob"), "startJob", "is named beginJob now"),
        (lambda path, op, request, job: path.update(parameters=[]), "jobId", "is gone"),
        (lambda path, op, request, job: op["parameters"][0].update(required=True), "email", "is required now"),
        (
            lambda path, op, request, job: op["parameters"].append({"name": "new", "in": "query", "required": True}),
            "new",
            "is new, and required",
        ),
        (
            lambda path, op, request, job: op["parameters"][0].update(schema={"type": "string"}),
            "email",
            "takes no null now",
        ),
        (lambda path, op, request, job: op["requestBody"].update(required=True), "startJob", "needs a body now"),
        (
            lambda path, op, request, job: op["requestBody"]["content"].pop("multipart/form-data"),
            "startJob",
            "multipart/form-data is gone",
        ),
        (lambda path, op, request, job: op["responses"].pop("404"), "startJob", "this answer is gone"),
        (lambda path, op, request, job: request.pop("seed"), "seed", "is gone"),
        (lambda path, op, request, job: request["seed"].update(minimum=2), "seed", "minimum is 2 now, and was 1"),
        (lambda path, op, request, job: request["seed"].update(maximum=9), "seed", "maximum is 9 now, and was 10"),
        (lambda path, op, request, job: request["seed"].update(type="integer"), "seed", "takes no number now"),
        (lambda path, op, request, job: request["seed"].update(multipleOf=2), "seed", "multipleOf is 2 now"),
        (lambda path, op, request, job: request["seed"].update(default=6), "seed", "is 6 where it is left out"),
        (lambda path, op, request, job: request["seed"].pop("default"), "seed", "is None where it is left out"),
        (lambda path, op, request, job: request["clip"].update(minLength=2), "clip", "minLength is 2 now"),
        (lambda path, op, request, job: request["clip"].update(maxLength=99), "clip", "maxLength is 99 now"),
        (lambda path, op, request, job: request["clip"].update(pattern="a"), "clip", "pattern is 'a' now"),
        (lambda path, op, request, job: request["clip"].update(enum=["a"]), "clip", "takes ['a'] alone now"),
        (lambda path, op, request, job: request.update(shape={"enum": ["wide"]}), "shape", "takes 'tall' no more"),
        (lambda path, op, request, job: request["urls"].update(minItems=1), "urls", "minItems is 1 now"),
        (
            lambda path, op, request, job: request["urls"]["items"].update(anyOf=[{"type": "string"}]),
            "urls",
            "one of the alternatives is gone",
        ),
        (lambda path, op, request, job: request["more"].update(additionalProperties=False), "more", "takes no further"),
        (
            lambda path, op, request, job: request["more"]["additionalProperties"].update(maxLength=9),
            "more",
            "maxLength is 9 now",
        ),
        (lambda path, op, request, job: request["shade"]["oneOf"].pop(), "shade", "one of the alternatives is gone"),
        (
            lambda path, op, request, job: request["mood"]["allOf"][0].update(enum=["calm"]),
            "mood",
            "takes 'wild' no more",
        ),
        (lambda path, op, request, job: job.pop("progress"), "progress", "is gone"),
        (lambda path, op, request, job: job["id"].update(type=["string", "null"]), "id", "may be null now"),
        (lambda path, op, request, job: job["id"].update(type="integer"), "id", "may be integer now"),
        (lambda path, op, request, job: job["progress"]["anyOf"].append({"type": "string"}), "progress", "may be string"),
    ],
)  # fmt: skip
def test_a_break_of_the_document_is_found(change: Callable[..., object], name: str, what: str) -> None:
    """Each kind once, under the name that CHANGELOG has to tell."""
    assert any(each == name and what in told for each, told in changed(change)), changed(change)


def test_a_field_that_becomes_required_breaks_and_one_that_may_be_missing_from_an_answer_too() -> None:
    """The other way about neither does."""
    new = copy.deepcopy(DOCUMENT)
    new["components"]["schemas"]["Request"]["required"] = ["clip", "seed"]
    new["components"]["schemas"]["Job"]["required"] = []
    told = {(each.name, each.what) for each in compat_document.changes(DOCUMENT, new)}
    assert told == {("seed", "is required now"), ("id", "may be missing now")}
    assert compat_document.changes(new, DOCUMENT) == []


def test_a_schema_that_is_gone_takes_its_model_along() -> None:
    """Also where nothing of what is sent has changed."""
    new = copy.deepcopy(DOCUMENT)
    new["components"]["schemas"]["Request"]["properties"]["shape"] = new["components"]["schemas"].pop("Shape")
    assert [each.name for each in compat_document.changes(DOCUMENT, new)] == ["Shape"]


def test_what_a_callback_brings_is_read_as_an_answer_is() -> None:
    """A field that is gone from the body of a callback breaks, and one that it requires does not."""
    new = copy.deepcopy(DOCUMENT)
    (hook,) = new["paths"]["/jobs/{jobId}"]["post"]["callbacks"]["changed"].values()
    content = hook["post"]["requestBody"]["content"]["application/json"]
    content["schema"] = {**new["components"]["schemas"]["Job"], "required": ["id", "progress"]}
    assert compat_document.changes(DOCUMENT, new) == []
    content["schema"] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    found = compat_document.changes(DOCUMENT, new)
    assert {(each.name, each.what) for each in found} == {("progress", "is gone"), ("parent", "is gone")}
    assert all(each.where.startswith("jobChanged") for each in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda path, op, request, job: request["seed"].update(minimum=0, maximum=11),
        lambda path, op, request, job: request["clip"].pop("maxLength"),
        lambda path, op, request, job: request["clip"].update(type=["string", "null"]),
        lambda path, op, request, job: request.update(shape={"enum": ["wide", "tall", "square"]}),
        lambda path, op, request, job: request["clip"].update(default="a"),
        lambda path, op, request, job: request.update(new={"type": "string"}),
        lambda path, op, request, job: op["parameters"].append({"name": "new", "in": "query"}),
        lambda path, op, request, job: op["responses"].update({"409": {"description": "Taken."}}),
        lambda path, op, request, job: op["responses"].update({"4XX": op["responses"].pop("404")}),
        lambda path, op, request, job: job.update(new={"type": "string"}),
        lambda path, op, request, job: job["progress"].update(anyOf=[{"type": "number"}]),
        lambda path, op, request, job: job["progress"].update(anyOf=[{"type": "null"}, {"type": "integer"}]),
        lambda path, op, request, job: path.update(get={"operationId": "readJob", "responses": {}}),
    ],
)  # fmt: skip
def test_what_widens_a_request_or_adds_to_an_answer_breaks_nobody(change: Callable[..., object]) -> None:
    """Looser bounds, more fields, more operations, fewer kinds of answers."""
    assert changed(change) == []


FILES = {
    "pyproject.toml": '[project]\nversion = "0.1.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## 0.1.0\n\n### Added\n- Everything, close and Task too.\n",
    "openapi/useapi-runwayml.yaml": "paths: {/jobs: {get: {operationId: listJobs, responses: {'200': {}}}}}\n",
    "generated/useapi_runwayml_api/__init__.py": "",
    "generated/useapi_runwayml_api/creations.py": "__all__ = ['Job']\nclass Job:\n    def run(self, *, seed=1): ...\n",
    "src/useapi_runwayml/__init__.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from .client import Client as Client\n    from .client import Task as Task\n"
    ),
    "src/useapi_runwayml/client.py": (
        "from .tasks import Tasks\n\n\nclass Task:\n    def age(self): ...\n\n\n"
        "class Client:\n    def tasks(self) -> Tasks: ...\n    def close(self, wait=True): ...\n    def _inner(self, a): ...\n"
    ),
    "src/useapi_runwayml/_base.py": "class Base: ...\n",
    "src/useapi_runwayml/tasks.py": "from ._base import Base\n\n\nclass Tasks(Base):\n    def list(self, *, limit=None): ...\n",
    "src/useapi_runwayml/errors.py": "__all__ = ['OurError']\nclass OurError(Exception):\n    task_id: str\n",
    "src/useapi_runwayml/resources/__init__.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .jobs import Task as Task\n"
    ),
    "src/useapi_runwayml/resources/jobs.py": "class Task:\n    def halt(self): ...\n",
    "src/useapi_runwayml/pytest_plugin.py": "import pytest\n\n\n@pytest.fixture\ndef runway_client(a): ...\n",
    "src/useapi_runwayml/simulator/__init__.py": "",
    "src/useapi_runwayml/callbacks/__init__.py": "",
    "src/useapi_runwayml/batch/__init__.py": "",
}


class Checked(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Checkout:
    """A small package under git, with the version 0.1.0 tagged."""

    def __init__(self, root: Path, streams: pytest.CaptureFixture[str]) -> None:
        self.root, self.streams = root, streams
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
        alone = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, env=alone, stdout=subprocess.DEVNULL)

    def release(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "0.1.0")
        self.git("tag", "v0.1.0")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))

    def check(self) -> Checked:
        code = compat.main(["--root", str(self.root)])
        return Checked(code, *self.streams.readouterr())


@pytest.fixture
def checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checkout:
    return Checkout(tmp_path, capsys)


def test_without_a_release_there_is_nothing_to_compare_with(checkout: Checkout) -> None:
    """It says so, and passes."""
    done = checkout.check()
    assert done.returncode == 0, done.stderr
    assert "no release is tagged" in done.stdout


CLIENT = "src/useapi_runwayml/client.py"


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (CLIENT, "def close", "def leave", "useapi_runwayml.client.Client.close: Public object was removed"),
        (CLIENT, "close(self, wait=True)", "close(self)", "useapi_runwayml.client.Client.close(wait)"),
        (CLIENT, "wait=True", "wait", "useapi_runwayml.client.Client.close(wait)"),
        (CLIENT, "def _inner(self, a)", "def _inner(self, a, b)", ""),
        (CLIENT, "close(self, wait=True)", "close(self, wait=True, more=None)", ""),
        ("src/useapi_runwayml/tasks.py", "limit=None", "count=None", "useapi_runwayml.tasks.Tasks.list(limit)"),
        ("src/useapi_runwayml/tasks.py", "(Base)", "", ""),
        ("src/useapi_runwayml/__init__.py", "Task as Task", "Task as Job", "useapi_runwayml.Task: is gone"),
        (CLIENT, "def age", "def years", "useapi_runwayml.client.Task.age: Public object was removed"),
        ("src/useapi_runwayml/resources/jobs.py", "halt", "stop", "useapi_runwayml.resources.jobs.Task.halt"),
        ("src/useapi_runwayml/errors.py", "task_id", "job_id", "useapi_runwayml.errors.OurError.task_id"),
        ("src/useapi_runwayml/errors.py", "(Exception)", "", "useapi_runwayml.errors.OurError: Base class was removed"),
        ("src/useapi_runwayml/pytest_plugin.py", "runway_client", "runway", "useapi_runwayml.pytest_plugin.runway_client: is gone"),
        ("src/useapi_runwayml/pytest_plugin.py", "(a)", "(b)", ""),
        ("generated/useapi_runwayml_api/creations.py", "seed=1", "seed=2", "Job.run(seed)"),
        ("openapi/useapi-runwayml.yaml", "/jobs", "/tasks", "listJobs (GET /jobs): is gone"),
    ],
)  # fmt: skip
def test_a_break_of_python_or_the_document_fails_the_check(
    checkout: Checkout, name: str, old: str, new: str, told: str
) -> None:
    """What people import, what a call gives them, and the document; what is private may change, and more may come."""
    checkout.release()
    checkout.replace(name, old, new)
    done = checkout.check()
    assert told in done.stdout
    assert done.returncode == (1 if told else 0), done.stdout + done.stderr
    assert ("0 breaks" in done.stdout) == (not told)


def test_a_break_needs_a_version_and_an_entry_that_names_it(checkout: Checkout) -> None:
    """Neither is enough alone, another patch is no such version, and what stands under Added is no such entry."""
    checkout.release()
    checkout.replace(CLIENT, "def close", "def leave")
    assert "needs version 0.2.0, and this is 0.1.0" in checkout.check().stderr
    checkout.replace("pyproject.toml", "0.1.0", "0.1.1")
    assert "needs version 0.2.0, and this is 0.1.1" in checkout.check().stderr
    checkout.replace("pyproject.toml", "0.1.1", "0.2.0")
    done = checkout.check()
    assert done.returncode == 1
    assert "does not name close under ### Changed or ### Removed of 0.2.0" in done.stderr
    checkout.replace(
        "CHANGELOG.md", "## 0.1.0", "## 0.2.0 - unreleased\n\n### Added\n- `leave`, for close.\n\n## 0.1.0"
    )
    assert checkout.check().returncode == 1
    checkout.replace("CHANGELOG.md", "for close.", "for close.\n\n### Removed\n- `Client.close`: it is `leave` now.")
    done = checkout.check()
    assert done.returncode == 0, done.stderr
    assert "1 breaks since v0.1.0" in done.stdout


def test_above_one_a_break_needs_a_major_version(checkout: Checkout) -> None:
    """A minor one is enough below alone."""
    checkout.replace("pyproject.toml", "0.1.0", "1.4.0")
    checkout.release()
    checkout.replace(CLIENT, "def close", "def leave")
    checkout.replace("CHANGELOG.md", "## 0.1.0", "## 1.5.0\n\n### Removed\n- close\n\n## 0.1.0")
    checkout.replace("pyproject.toml", "1.4.0", "1.5.0")
    assert "needs version 2.0.0, and this is 1.5.0" in checkout.check().stderr
    checkout.replace("pyproject.toml", "1.5.0", "2.0.0")
    checkout.replace("CHANGELOG.md", "## 1.5.0", "## 2.0.0")
    assert checkout.check().returncode == 0


@pytest.mark.slow
def test_what_is_compared_is_what_can_be_imported() -> None:
    """griffe's reading of the sources, name for name, against what the modules say of themselves when they are loaded."""
    surface = compat_python.Surface(ROOT)
    top = surface.names["useapi_runwayml"].keys() | surface.names["useapi_runwayml_api.creations"].keys()
    assert top == set(importlib.import_module("useapi_runwayml").__all__) - {"__version__"}
    for name in ("errors", "resources", "batch", "callbacks", "simulator"):
        module = importlib.import_module(f"useapi_runwayml.{name}")
        assert surface.names[module.__name__].keys() == set(getattr(module, "__all__", ()))
    assert {"runway_client", "runway_simulator"} <= surface.names["useapi_runwayml.pytest_plugin"].keys()
    assert {"Tasks", "Assets", "AsyncTasks", "Scheduler"} <= surface.things.keys()
