"""What lists and the scheduler tell of many tasks at once: which of them are asked for, and what counts of their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import pytest

from useapi_runwayml._core.effects import Answer, Options, Send
from useapi_runwayml._core.surroundings import Context, Settings
from useapi_runwayml._core.surveying import Survey
from useapi_runwayml._io.files import Disk
from useapi_runwayml.simulator import ManualClock

KINDS = {None: "all", "PENDING,RUNNING,THROTTLED": "active", "CANCELLED,FAILED,SUCCEEDED": "ended"}


class Page(NamedTuple):
    """The tasks that are waited for which a page shows, and whether strangers fill it."""

    shows: Sequence[str] = ()
    is_full: bool = False


class Round:
    """One round of questions: what was asked for, and what it told. A page has four entries."""

    def __init__(
        self,
        clock: ManualClock | None = None,
        refused: dict[str | None, float] | None = None,
        status: int = 200,
        **headers: str,
    ) -> None:
        self.asked: list[str] = []
        self.told: dict[str, Any] = {}
        self._status, self._headers = status, httpx.Headers({"content-type": "application/json", **headers})
        context = Context(Settings("http://x.test", 60, 4, 20), clock or ManualClock(), object, Disk(), awaits=False)
        known = {} if refused is None else refused
        self.survey = Survey(context, known, Options, lambda task_id, news: self.told.update({task_id: news}))

    def ask(self, wanted: int, pages: Mapping[str, Page] | None = None) -> list[str]:
        """Asks for tasks t0, t1, … of which pages such as `ended 1000` show these; gives those that are left."""
        core = self.survey.ask([f"t{number}" for number in range(wanted)])
        answer: Answer | None = None
        while True:
            try:
                effect = core.send(answer)
            except StopIteration as over:
                left: list[str] = over.value
                return left
            assert isinstance(effect, Send)
            answer = self._answer(effect, pages or {})

    def _answer(self, sent: Send, pages: Mapping[str, Page]) -> Answer:
        params = sent.call.params or {}
        is_list = "offset" in params
        name = f"{KINDS[params.get('statuses')]} {params['offset']}" if is_list else "scheduler"
        self.asked.append(name)
        page = pages.get(name, Page())
        strangers = [f"s{number}" for number in range(4 - len(page.shows) if page.is_full else 0)]
        entries = [{"taskId": each, "status": "RUNNING"} for each in [*page.shows, *strangers]]
        return Answer(self._status, self._headers, json.dumps(entries).encode())


FULL = Page(is_full=True)
ROUNDS: list[tuple[int, dict[str, Page], str]] = [
    (2, {}, "active 0"),
    (3, {}, "active 0, all 0, scheduler"),
    (3, {"active 0": Page(["t0"])}, "active 0"),
    (3, {"all 0": Page(["t0"])}, "active 0, all 0"),
    (3, {"active 0": FULL}, "active 0, ended 0, scheduler"),
    (3, {"active 0": Page(["t0"], is_full=True)}, "active 0"),
    (3, {"all 0": FULL}, "active 0, all 0, ended 0, scheduler"),
    (3, {"all 0": Page(["t0"], is_full=True)}, "active 0, all 0"),
    (4, {"active 0": FULL, "ended 0": Page(["t0"], is_full=True)}, "active 0, ended 0, ended 1000, scheduler"),
    (3, {"active 0": FULL, "ended 0": Page(["t0"], is_full=True)}, "active 0, ended 0"),
    (4, {"active 0": FULL, "ended 0": FULL, "ended 1000": Page(["t0", "t1"])}, "active 0, ended 0, ended 1000"),
]


@pytest.mark.parametrize(("wanted", "pages", "asked"), ROUNDS)
def test_lists_are_asked_for_as_long_as_more_than_two_are_left(
    monkeypatch: pytest.MonkeyPatch, wanted: int, pages: dict[str, Page], asked: str
) -> None:
    """Two are read for less; behind a page that is not full there is nothing; beyond a full one are those that have ended."""
    monkeypatch.setattr("useapi_runwayml._core.surveying.PAGE", 4)
    found = Round()
    left = found.ask(wanted, pages)
    shown = {each for page in pages.values() for each in page.shows}
    assert found.asked == asked.split(", ")
    assert {*found.told} == shown
    assert left == [f"t{number}" for number in range(wanted) if f"t{number}" not in shown]


def test_a_list_that_was_refused_is_left_alone_for_a_minute() -> None:
    """Not a moment longer; and whether the scheduler runs none, or nobody knows, are two things."""
    clock = ManualClock(0)
    refused: dict[str | None, float] = {}
    rounds = [Round(clock, refused, status) for status in (404, 200, 200)]
    for each, seconds in zip(rounds, (59.5, 0.5, 0), strict=True):
        each.ask(3)
        clock.advance(seconds)
    assert [each.asked for each in rounds] == [["active 0", "scheduler"], [], ["active 0", "all 0", "scheduler"]]
    assert [each.survey.has_tracked for each in rounds] == [False, False, True]


def test_an_entry_that_leaves_out_how_a_task_ended_does_not_tell_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left, to be read by its id."""
    found = Round()
    monkeypatch.setattr(
        found,
        "_answer",
        lambda *_: Answer(
            200,
            httpx.Headers({"content-type": "application/json"}),
            b'[{"taskId": "t0", "status": "SUCCEEDED"}, {"taskId": "s0"}]',
        ),
    )
    assert found.ask(2) == ["t0", "t1"]
    assert found.told == {}


@pytest.mark.parametrize(("status", "told"), [(429, []), (401, ["t0", "t1", "t2"])])
def test_of_an_account_that_is_to_be_left_alone_nothing_is_left_to_be_read(status: int, told: list[str]) -> None:
    """Whether it asks to wait, which is no news of its tasks, or refuses whoever asks, which each of them is told."""
    found = Round(None, None, status, **{"retry-after": "7"})
    assert found.ask(3) == []
    assert found.asked == ["active 0"]
    assert [*found.told] == told
    assert found.survey.wish == 7
