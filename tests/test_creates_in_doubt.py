"""Creates whose task is hard to tell: two with one reference, a reference in another form, a task that only the scheduler shows."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from useapi_runwayml import AsyncRunwayClient, ParameterError, RunwayClient, SubmissionUnknownError

from .conftest import BASE_URL, TOKEN, World

T = "user:1-runwayml:a@b.c-task:11111111-1111-1111-1111-111111111111"
A = "user:1-runwayml:a@b.c-asset:11111111-1111-1111-1111-111111111111"
CREATE: dict[str, Any] = {"asset_id": A, "text_prompt": "x", "reply_ref": "tag"}


def one_task(request: httpx.Request) -> httpx.Response:
    """The answers of creates are lost, and one task bears their reference."""
    if request.method == "POST":
        raise httpx.ReadTimeout("lost", request=request)
    entry = {"taskId": T, "replyRef": "tag", "status": "RUNNING", "options": {"text_prompt": "x"}}
    return httpx.Response(200, json=[entry] if request.url.path.endswith("/") else entry)


def both(answer: Callable[[httpx.Request], Any], *references: str) -> list[Any]:
    """What two creates at once come to, with these references, or one, when they are answered so."""

    async def main() -> list[Any]:
        through = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        async with AsyncRunwayClient(TOKEN, base_url=BASE_URL, http_client=through, lookup_timeout=0.05) as runway:
            given = ({**CREATE, "reply_ref": each} for each in references or ("tag", "tag"))
            creates = (runway.video_to_video.create(**each) for each in given)
            return await asyncio.gather(*creates, return_exceptions=True)

    return asyncio.run(main())


def test_two_lost_creates_with_one_reference_take_no_task_for_their_own() -> None:
    """It is one's, and nobody knows whose: both say so, and name it."""

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return one_task(request)

    found = both(answer)
    assert [type(each) for each in found] == [SubmissionUnknownError] * 2
    assert [each.candidates for each in found] == [(T,), (T,)]
    assert all("so does another create of this client" in str(each) for each in found)


def test_two_lost_creates_of_two_threads_take_no_task_for_their_own() -> None:
    """Nor does one whose neighbour is still being sent."""
    both_are_sent = threading.Barrier(2)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and not both_are_sent.broken:
            both_are_sent.wait(10)
        return one_task(request)

    through = httpx.Client(transport=httpx.MockTransport(answer))
    with RunwayClient(TOKEN, base_url=BASE_URL, http_client=through, lookup_timeout=0.05) as runway:
        with ThreadPoolExecutor(2) as threads:
            futures = [threads.submit(runway.video_to_video.create, **CREATE) for _ in "ab"]
            assert [type(each.exception()) for each in futures] == [SubmissionUnknownError] * 2
        both_are_sent.abort()
        assert runway.video_to_video.create(**CREATE).task_id == T


def test_a_lost_create_finds_its_task_beside_others(world: World) -> None:
    """Of creates with other references, and once the one before with its own is over."""
    client = world.scripted(one_task, lookup_timeout=1)
    assert client.video_to_video.create(**CREATE).task_id == T
    with pytest.raises(SubmissionUnknownError):
        client.video_to_video.create(**CREATE)  # its task was given out


@pytest.mark.parametrize(("given", "shown"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_reference_is_the_same_in_either_form_of_unicode(world: World, given: Any, shown: Any) -> None:
    """As it is given back by the create, by the lists, and to whoever looks for it."""
    mine, theirs = unicodedata.normalize(given, "Café"), unicodedata.normalize(shown, "Café")
    entry = {"taskId": T, "replyRef": theirs, "status": "RUNNING"}
    lost, asked = [True], list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and lost:
            raise httpx.ReadTimeout("lost", request=request)
        is_list = request.url.path.endswith("/") and request.method == "GET"
        asked.append(request.method)
        return httpx.Response(200, json=[entry] if is_list else entry)

    for _ in range(2):
        client = world.scripted(answer, lookup_timeout=1)
        assert client.video_to_video.create(**{**CREATE, "reply_ref": mine}).task_id == T
        assert lost or asked == ["POST"]
        assert client.tasks.find(mine).task_id == T
        lost.clear()
        asked.clear()


def test_a_task_that_cannot_be_read_yet_is_found(world: World) -> None:
    """The scheduler shows it: "not found" would invite a second create."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "scheduler" in request.url.path:
            return httpx.Response(200, json=[{"taskId": T, "replyRef": "tag"}])
        if request.url.path.endswith("/tasks/"):
            return httpx.Response(200, json=[])
        return httpx.Response(404, json={"error": "Not found", "code": 404})

    found = world.scripted(answer).tasks.find("tag")
    assert (found.task_id, found.reply_ref, found.status) == (T, "tag", None)
    assert world.scripted(answer).tasks.find("another") is None


def test_a_task_that_the_list_shows_is_told_as_it_does(world: World) -> None:
    """Rather than as the scheduler, which knows less."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "scheduler" in request.url.path:
            return httpx.Response(200, json=[{"taskId": T, "replyRef": "tag"}])
        if request.url.path.endswith("/tasks/"):
            return httpx.Response(200, json=[{"taskId": T, "replyRef": "tag", "status": "PENDING"}])
        return httpx.Response(404, json={"error": "Not found", "code": 404})

    assert world.scripted(answer).tasks.find("tag").status == "PENDING"


@pytest.mark.parametrize("name", ["Accept-Encoding", "Content-Encoding", "content-type", "Connection"])
def test_a_call_cannot_ask_for_what_cannot_be_read(world: World, name: str) -> None:
    """The answer of a paid create in another encoding would hide its task."""
    with pytest.raises(ParameterError, match="sets this header itself"):
        world.client().video_to_video.create(**CREATE, extra_headers={name: "br"})
    assert not world.sim.requests


def test_two_lost_creates_with_one_reference_in_two_forms_take_no_task_for_their_own() -> None:
    """It is the same reference."""

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.method == "POST":
            raise httpx.ReadTimeout("lost", request=request)
        entry = {"taskId": T, "replyRef": "Café", "status": "RUNNING", "options": {"text_prompt": "x"}}
        return httpx.Response(200, json=[entry] if request.url.path.endswith("/") else entry)

    forms = [unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")]
    assert [type(each) for each in both(answer, *forms)] == [SubmissionUnknownError] * 2


@pytest.mark.parametrize("other", ["answered", "refused"])
def test_a_lost_create_beside_one_whose_outcome_is_known_finds_its_task(other: str) -> None:
    """The other's task was given out, or there is none: the one that is left is its own."""
    second = T.replace("1111", "2222")
    posts, is_sent = list[str](), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posts.append("")
            if len(posts) == 1:
                await is_sent.wait()
                body = {"taskId": T, "replyRef": "tag"} if other == "answered" else {"error": "no", "code": 400}
                return httpx.Response(200 if other == "answered" else 400, json=body)
            is_sent.set()
            raise httpx.ReadTimeout("lost", request=request)
        shown = [T, second] if other == "answered" else [second]
        entries = [{"taskId": each, "replyRef": "tag", "options": {"text_prompt": "x"}} for each in shown]
        is_list = request.url.path.endswith("/")
        return httpx.Response(200, json=entries if is_list else entries[-1])

    first, found = both(answer)
    assert getattr(first, "task_id", None) == (T if other == "answered" else None)
    assert found.task_id == second


def test_the_newest_task_is_found_though_it_cannot_be_read_yet(world: World) -> None:
    """An older one of the same reference, which the list has, is not taken for it."""
    older = T.replace("1111", "0000")

    def answer(request: httpx.Request) -> httpx.Response:
        if "scheduler" in request.url.path:
            return httpx.Response(200, json=[{"taskId": T, "replyRef": "tag"}])
        if request.url.path.endswith("/tasks/"):
            return httpx.Response(200, json=[{"taskId": older, "replyRef": "tag", "status": "SUCCEEDED"}])
        return httpx.Response(404, json={"error": "Not found", "code": 404})

    found = world.scripted(answer).tasks.find("tag")
    assert (found.task_id, found.status) == (T, None)


def test_a_task_that_turns_out_to_be_anothers_is_no_candidate(world: World) -> None:
    """What could not be read at first, and then shows another prompt, is not named as perhaps one's own."""
    read: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadTimeout("lost", request=request)
        if request.url.path.endswith("/"):
            return httpx.Response(200, json=[{"taskId": T, "replyRef": "tag"}])
        read.append(T)
        if len(read) == 1:
            return httpx.Response(404, json={"error": "Not found", "code": 404})
        return httpx.Response(200, json={"taskId": T, "replyRef": "tag", "options": {"text_prompt": "another"}})

    with pytest.raises(SubmissionUnknownError, match="no task that bears it is known yet") as caught:
        world.scripted(answer, lookup_timeout=3).video_to_video.create(**CREATE)
    assert caught.value.candidates == ()


def slow(world: World, ids: list[str], read: list[str]) -> Callable[[httpx.Request], httpx.Response]:
    """A service that takes a minute for each answer, loses that of the create, and has these tasks of its reference."""

    def answer(request: httpx.Request) -> httpx.Response:
        world.clock.advance(60)
        if request.method == "POST":
            raise httpx.ReadTimeout("lost", request=request)
        task_id = request.url.path.rpartition("/")[2]
        if task_id:
            read.append(task_id)
            return httpx.Response(200, json={"taskId": task_id, "replyRef": "tag", "options": {"text_prompt": "x"}})
        return httpx.Response(200, json=[{"taskId": each, "replyRef": "tag"} for each in ids])

    return answer


def test_one_task_is_read_however_late_it_is(world: World) -> None:
    """The first that a list shows after the time for it is over: it is most likely what was paid for."""
    read: list[str] = []
    assert world.scripted(slow(world, [T], read)).video_to_video.create(**CREATE).task_id == T
    assert read == [T]


def test_what_there_was_no_time_to_read_may_be_the_task_as_well(world: World) -> None:
    """It is not read, but it bears the reference too: which of them is one's own is not known, and all are named."""
    read: list[str] = []
    others = T[:-1] + "2", T[:-1] + "3"
    with pytest.raises(
        SubmissionUnknownError, match=f"3 tasks bear it, 2 of them not confirmed .{', '.join(others)}"
    ) as caught:
        world.scripted(slow(world, [T, *others], read)).video_to_video.create(**CREATE)
    assert caught.value.candidates == (T, *others)
    assert read == [T]


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (
            [
                {"taskId": "b", "createdAt": "2029-01-01T00:00:00Z"},
                {"taskId": "c", "createdAt": "2029-01-02T00:00:00Z"},
            ],
            "c",
        ),
        ([{"taskId": "b"}, {"taskId": "c", "createdAt": "2029-01-02T00:00:00Z"}], "c"),
        ([{"taskId": "b"}, {"taskId": "c"}], "b"),
        ([], "t1"),
    ],
)
def test_of_tasks_with_one_reference_the_newest_is_found(
    world: World, listed: list[dict[str, Any]], found: str
) -> None:
    """By the moment of its creation, whatever the order; where none is told, the first: lists begin with the newest."""

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/"):
            return httpx.Response(404, json={"error": "Not found", "code": 404})
        tracked = [] if listed else [{"taskId": "t1"}, {"taskId": "t2"}]
        shown = tracked if "scheduler" in request.url.path else listed
        return httpx.Response(200, json=[{**each, "replyRef": "tag"} for each in shown])

    assert world.scripted(answer).tasks.find("tag").task_id == found
