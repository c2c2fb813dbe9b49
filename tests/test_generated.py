"""The generated client: what the stock generator gets wrong stays mended."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from useapi_runwayml_api import AuthenticatedClient, models
from useapi_runwayml_api.api.tasks import get_task, list_tasks
from useapi_runwayml_api.api.video_to_video import create_video_to_video
from useapi_runwayml_api.errors import ConstraintError, UnexpectedStatus
from useapi_runwayml_api.types import UNSET

ROOT = Path(__file__).resolve().parent.parent
TASK_ID = "user:1-runwayml:a+b@c.de-task:u"


def request(**more: Any) -> models.VideoToVideoRequest:
    return models.VideoToVideoRequest(**{"asset_id": "user:1-runwayml:a@b.c-asset:x", "text_prompt": "p", **more})


def client(status: int, **answer: Any) -> AuthenticatedClient:
    transport = httpx.MockTransport(lambda sent: httpx.Response(status, request=sent, **answer))
    return AuthenticatedClient("http://x.test/v1", token="user:1-secret", httpx_args={"transport": transport})


@pytest.mark.parametrize("status", [100 + 1, 200, 404, 522, 596, 799, 999])
def test_every_status_is_taken(status: int) -> None:
    """A status outside the registered range is a plain number, and its body is kept."""
    found = get_task.sync_detailed(TASK_ID, client=client(status, content=b"error code: 522"))
    assert (found.status_code, found.content) == (status, b"error code: 522")


def test_an_undocumented_status_is_told_when_asked() -> None:
    """With raise_on_unexpected_status the body is kept on the exception, and is not in its text."""
    asking = client(418, content=b"secret tea")
    asking.raise_on_unexpected_status = True
    with pytest.raises(UnexpectedStatus) as caught:
        get_task.sync_detailed(TASK_ID, client=asking)
    assert caught.value.content == b"secret tea"
    assert "tea" not in str(caught.value)
    documented = client(404, json={"error": "no"})
    documented.raise_on_unexpected_status = True
    found = get_task.sync(TASK_ID, client=documented)
    assert isinstance(found, models.ErrorBody)


def test_no_repr_shows_the_token() -> None:
    """Neither the client nor its httpx client shows the token; it goes to the base URL's host alone."""
    seen: list[httpx.Request] = []

    def answer(sent: httpx.Request) -> httpx.Response:
        seen.append(sent)
        return httpx.Response(200, json={})

    made = AuthenticatedClient(
        "http://x.test/v1", token="user:1-secret", httpx_args={"transport": httpx.MockTransport(answer)}
    )
    with made:
        get_task.sync(TASK_ID, client=made)
        made.get_httpx_client().get("http://other.test/")
    assert "secret" not in repr(made) + repr(made.get_httpx_client()) + repr(vars(made.get_httpx_client()))
    assert [each.headers.get("authorization") for each in seen] == ["Bearer user:1-secret", None]


def test_ids_keep_their_colons() -> None:
    """Colon, at sign and plus stay literal in a path, as working clients send them."""
    seen: list[bytes] = []

    def answer(sent: httpx.Request) -> httpx.Response:
        seen.append(sent.url.raw_path)
        return httpx.Response(200, json={})

    asking = AuthenticatedClient("http://x.test/v1", token="t", httpx_args={"transport": httpx.MockTransport(answer)})
    get_task.sync(TASK_ID, client=asking)
    assert seen == [b"/v1/tasks/user:1-runwayml:a+b@c.de-task:u"]


@pytest.mark.parametrize("bad", ["", " ", ".", "..", "a/b", "a?b", "a#b", "a%b", "a\nb", "a\n", "\ud800", 7, None])
def test_a_bad_id_is_refused(bad: Any) -> None:
    """An id that cannot stand in a path sends nothing."""
    with pytest.raises(ConstraintError):
        get_task.request_kwargs(bad)


def test_all_problems_come_at_once() -> None:
    """One function names every field that would be refused, with its value and its rule."""
    found = models.VideoToVideoRequest.find_problems(
        {"asset_id": "..", "seed": True, "seconds": 7, "max_jobs": 2.5, "reply_ref": "x" * 1025, "other": 1},
        {"a": float("nan")},
    )
    assert [each.field for each in found] == [
        "asset_id",
        "text_prompt",
        "seconds",
        "seed",
        "reply_ref",
        "max_jobs",
        "other",
        "a",
    ]
    assert all(each.rule for each in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", True),
        ("seed", 2.5),
        ("seed", 0),
        ("seed", "7"),
        ("seed", None),
        ("text_prompt", "\udc00"),
        ("explore_mode", 1),
    ],
)
def test_bounds_hold_on_construction_and_on_assignment(name: str, value: Any) -> None:
    """A wrong value is refused by the constructor and by an assignment, which then changes nothing."""
    with pytest.raises(ConstraintError):
        request(**{name: value})
    made = request(seed=5)
    with pytest.raises(ConstraintError):
        setattr(made, name, value)
    assert (made.seed, made.text_prompt) == (5, "p")


def test_absent_is_not_null() -> None:
    """What is not given is not sent; 0 and False are."""
    assert request().to_dict() == {"assetId": "user:1-runwayml:a@b.c-asset:x", "text_prompt": "p"}
    assert request(structure_transformation=0, explore_mode=False).to_dict()["structure_transformation"] == 0
    made = request(seed=5)
    made.seed = UNSET
    assert "seed" not in made.to_dict()


def test_a_field_smuggled_in_later_is_refused() -> None:
    """A documented field cannot come by way of the additional ones, not even after construction."""
    made = request()
    made.additional_properties["seed"] = 0
    with pytest.raises(ConstraintError):
        made.to_dict()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_models_survive_copy_and_pickle(copied: Any) -> None:
    """UNSET stays the one UNSET, and models of requests and answers stay equal to what they were."""
    assert copied(UNSET) is UNSET
    assert copied(request(seed=5)) == request(seed=5)
    assert copied(request()).seed is UNSET
    task = models.Task.from_dict({"taskId": "t", "artifacts": [{"url": "http://x/y?sig=1"}], "new": 1})
    assert copied(task) == task
    assert copied(task).to_dict() == task.to_dict()


def test_answers_read_as_the_design_says() -> None:
    """What is missing reads None, missing lists read [], dates are aware, and what came is given back whole."""
    raw = {
        "taskId": "t",
        "status": "QUEUED_V2",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "progressRatio": "NaN",
        "zzz": {"a": 1},
    }
    task = models.Task.from_dict(raw)
    assert (task.status, task.artifacts, task.options, task.progress_ratio) == ("QUEUED_V2", [], None, None)
    assert task.created_at is not None
    assert task.created_at.tzinfo is not None
    assert task.to_dict() == raw
    assert task.additional_properties == {"zzz": {"a": 1}}
    assert models.Task.from_dict({"createdAt": "yesterday", "artifacts": None}).created_at is None
    assert models.Task.from_dict({"error": "boom"}).error == models.TaskFailure(message="boom", raw={"message": "boom"})


def test_answers_cannot_be_changed() -> None:
    """A model of an answer is a record; what `to_dict` gives is a copy."""
    task = models.Task.from_dict({"taskId": "t", "options": {"seed": 1}})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        task.task_id = "other"  # type: ignore[misc]
    task.to_dict()["options"]["seed"] = 2
    assert task.to_dict() == {"taskId": "t", "options": {"seed": 1}}


def test_links_hide_their_queries_in_reprs() -> None:
    """A signature in a link is in no repr."""
    task = models.Task.from_dict(
        {"artifacts": [{"url": "http://x/y?sig=1", "previewUrls": ["http://x/z?sig=2"]}], "replyUrl": "http://h?k=3"}
    )
    assert "sig" not in repr(task)
    assert "k=3" not in repr(task)
    assert task.artifacts[0].url == "http://x/y?sig=1"


def test_a_form_carries_the_same_fields() -> None:
    """Multipart sends the JSON's fields as parts: true, not True; and no prompt can add a part."""
    prompt = 'a "b"\r\n--boundary\r\nContent-Disposition: form-data; name="seed"\r\n\r\n9 😀'
    made = request(explore_mode=True, seed=7)
    made.text_prompt = prompt
    kwargs = create_video_to_video.request_kwargs(body=made, content_type="multipart/form-data")
    parts = {name: content.decode() for name, (_, content) in kwargs["files"]}
    assert parts == {"assetId": made.asset_id, "text_prompt": prompt, "exploreMode": "true", "seed": "7"}
    boundaries = {httpx.Request("POST", "http://x", files=kwargs["files"]).headers["content-type"] for _ in range(3)}
    assert len(boundaries) == 3


def test_lists_in_a_query_are_comma_separated() -> None:
    """`statuses` goes as one parameter."""
    kwargs = list_tasks.request_kwargs(offset=0, limit=1000, statuses=["PENDING", "RUNNING"])
    assert kwargs["params"] == {"offset": "0", "limit": "1000", "statuses": "PENDING,RUNNING"}


def fresh_tree(tmp_path: Path, name: str) -> Path:
    """A copy of what generates, so that it can be spoilt."""
    root = tmp_path / name
    for each in ("openapi", "scripts", "generated"):
        shutil.copytree(ROOT / each, root / each, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "scripts/generate.py", "--check"], cwd=root, capture_output=True, text=True)


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_in_every_folder(tmp_path: Path) -> None:
    """Generating elsewhere, even below a ruff configuration, gives what is committed."""
    root = fresh_tree(tmp_path, "elsewhere")
    (tmp_path / "ruff.toml").write_text("line-length = 40\n")
    done = check(root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("openapi/useapi-runwayml.yaml", "maximum: 4294967294", "maximum: 4294967295"),
        ("openapi/generator/templates/readers.py.jinja", "math.isfinite", "math.isinf"),
        ("generated/useapi_runwayml_api/urls.py", ":@+", ":@"),
    ],
)
@pytest.mark.slow
def test_a_stale_client_is_told_with_a_diff(tmp_path: Path, file: str, old: str, new: str) -> None:
    """A bound changed without generating, a template changed, or a generated file edited by hand: --check fails, with a diff."""
    root = fresh_tree(tmp_path, "spoilt")
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    done = check(root)
    assert done.returncode == 1
    assert "--- committed/" in done.stdout
    assert "scripts/generate.py" in done.stderr
