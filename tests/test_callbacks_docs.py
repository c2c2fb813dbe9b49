"""The examples of docs/callbacks.md do what they say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "callbacks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def block(word: str) -> str:
    (found,) = [each for each in BLOCKS if word in each]
    return found


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    with SimulatorServer(Simulator(task_seconds=60), clock=RunningClock(60)) as server:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.setenv("CALLBACK_SECRET", "a secret of the tests")
        yield server


def calls(signer: Any) -> list[tuple[str, dict[str, Any]]]:
    """Two callbacks: one as it should be, and one whose address nobody has signed."""
    body = {"taskId": "user:1-runwayml:a@b.c-task:t", "status": "RUNNING", "replyRef": "row-1"}
    parts = urlsplit(signer.url_for("row-1"))
    return [(f"{parts.path}?{parts.query}", body), (f"{parts.path}?signed=x", body)]


async def to_asgi(app: Any, found: dict[str, Any]) -> list[int]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answers = [await client.post(url, json=body) for url, body in calls(found["signer"])]
        other = await client.get("/elsewhere")
    assert await found["receiver"].aclose() == []
    return [each.status_code for each in (*answers, other)]


def to_wsgi(app: Any, found: dict[str, Any]) -> list[int]:
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://here") as client:
        answers = [client.post(url, json=body) for url, body in calls(found["signer"])]
        other = client.get("/elsewhere")
    assert found["receiver"].close() == []
    return [each.status_code for each in (*answers, other)]


def fastapi(found: dict[str, Any]) -> list[int]:
    return asyncio.run(to_asgi(found["app"], found))


def flask(found: dict[str, Any]) -> list[int]:
    return to_wsgi(found["app"], found)


def django(found: dict[str, Any]) -> list[int]:
    return to_wsgi(found["application"], found)


@pytest.mark.parametrize("send", [fastapi, flask, django])
def test_an_example_receives_a_callback(
    send: Callable[[dict[str, Any]], list[int]], service: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """What is signed is taken and told; what is not is refused; all else is the application's."""
    if send is django:
        from django.conf import settings

        if not settings.configured:
            settings.configure(ROOT_URLCONF="tests.test_callbacks_docs", ALLOWED_HOSTS=["here"], SECRET_KEY="x")
    found: dict[str, Any] = {"__name__": "example"}
    exec(compile(block(f"from {send.__name__}"), "docs/callbacks.md", "exec"), found)
    assert send(found) == [202, 403, 404]
    assert capsys.readouterr().out == "changed: user:1-runwayml:a@b.c-task:t RUNNING\n"


urlpatterns: list[Any] = []


def test_the_example_of_a_wait_is_woken(
    service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    """On a port that is free here, and at the address that the simulator can reach."""
    from useapi_runwayml.callbacks import ReplyUrlSigner, serving

    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(MP4)
    server, address = serving.CallbackServer, list[str]()

    def on_a_free_port(app: Any, port: int) -> Any:
        assert port == 8080
        made = server(app, 0)
        app.signer = ReplyUrlSigner("another secret here", f"http://127.0.0.1:{made.port}/runway")
        address.append(app.signer.url_for("x"))
        return made

    monkeypatch.setattr(serving, "CallbackServer", on_a_free_port)
    found: dict[str, Any] = {"__name__": "example"}
    exec(compile(block("CallbackServer"), "docs/callbacks.md", "exec"), found)
    asyncio.run(found["main"]())
    assert capsys.readouterr().out == "out.mp4\n"
    assert (tmp_path / "out.mp4").stat().st_size
    assert address
    (task,) = service.simulator.state.tasks.values()
    assert task.request["replyUrl"].startswith("http://127.0.0.1:")
