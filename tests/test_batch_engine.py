"""The life of one row: which step follows which, and what ends it, whatever the steps give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from useapi_runwayml.batch import engine as engines
from useapi_runwayml.batch.accounts import CALM
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.endings import PATIENCE
from useapi_runwayml.batch.engine import Engine
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.ledger import Lost, Row, Settings
from useapi_runwayml.batch.limits import Held
from useapi_runwayml.batch.store import StoreFailed

from .conftest import soon
from .pausing import Clock, answers
from .test_batch_endings import TASK

ID = "row-1-1"
MAKER = "maker@example.com"
ASSET = f"user:4242-runwayml:{MAKER}-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
IMAGE = ASSET.replace("7c0e", "8d0e")
CREATED = {"kind": "created", "task_id": TASK}
BROKEN = {"kind": "failed", "why": "broken", "error": "APIStatusError"}


class Steps:
    """Each gives what it was told to, and all that is asked of them and of accounts and ledger is noted."""

    def __init__(self, row: Row) -> None:
        self.clock = Clock(10)
        self.tell: Any = None
        self.row = row
        self.calls: list[Any] = []
        self.takes: Any = answers(row)
        self.upload_gives: Any = answers(
            {"kind": "uploaded", "asset_id": ASSET}, {"kind": "uploaded", "asset_id": IMAGE}
        )
        self.create_gives: Any = answers(CREATED)
        self.wait_gives: Any = answers({"kind": "succeeded"})
        self.fetch_gives: Any = answers({"kind": "fetched"})
        self.publish_gives: Any = answers({"kind": "saved"})
        self.has_others: Any = answers(True)
        self.is_open: Any = answers(None)
        self.ledger = SimpleNamespace(
            take=self._noting("ledger.take", lambda: self.takes),
            leave=self._noting("leave"),
            give_back=self._noting("give back", lambda: self.has_others),
        )

    def _noting(self, name: str, answer: Callable[[], Any] = lambda: answers(None)) -> Any:
        async def note(*given: Any, **more: Any) -> Any:
            self.calls.append((name, *(each for each in given if each is not self.row), *more.values()))
            return await answer()()

        return note

    def account(self, email: str | None) -> Any:
        whose = email or "nobody's"
        return SimpleNamespace(
            expect=lambda order: self.calls.append((f"{whose} expects", order)),
            expect_no_more=self._noting(f"{whose} expects no more"),
            take=self._noting(f"{whose} take"),
            give=self._noting(f"{whose} give"),
            check_open=self._noting(f"{whose} is open", lambda: self.is_open),
        )

    async def upload(self, row: Row, file: str, sha256: str, email: str | None) -> Any:
        self.calls.append(("upload", file, sha256, email))
        return await self.upload_gives()

    async def create(self, row: Row, assets: list[str], account: Any) -> Any:
        self.calls.append(("create", *assets))
        return await self.create_gives()

    async def wait(self, row: Row, account: Any) -> Any:
        self.calls.append(("wait",))
        return await self.wait_gives()

    async def fetch(self, row: Row) -> Any:
        self.calls.append(("fetch",))
        found = await self.fetch_gives()
        row.facts.fetched = {"bytes": 1} if found["kind"] == "fetched" else None
        return found

    async def publish(self, row: Row) -> Any:
        self.calls.append(("publish",))
        found = await self.publish_gives()
        row.facts.fetched = None
        return found


class Scene:
    """One row with its engine, and what is told of it."""

    def __init__(self, **known: Any) -> None:
        job = {name: known.pop(name) for name in ("email", "image", "video", "image_sha256", "sha256") if name in known}
        given = {"video": "c.mp4", "sha256": "1a", **job}
        facts = Facts(Job(1, 2, given.pop("video"), "x", "1.mp4", **given), **known)
        self.row = Row(ID, "b", facts, Settings())
        self.steps = Steps(self.row)
        steps: Any = self.steps
        self.engine = Engine(steps)
        self.told: list[tuple[str, str]] = []

    def process(self) -> dict[str, Any]:
        return asyncio.run(asyncio.wait_for(self.engine.process(ID, 1, self.row.job.email or ""), 5))

    def hear(self) -> None:
        self.engine.on_event = lambda row, state, why: self.told.append((state, why))

    def end(self) -> tuple[str, str, str, str]:
        """How the row ended: state, stage, error, words."""
        self.process()
        facts = self.row.facts
        return facts.state, facts.stage, facts.error, facts.why

    def calls(self, *names: str) -> list[Any]:
        return [each for each in self.steps.calls if each[0] in names]


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How often it was left for a while to others, which takes no time here."""
    found, sleep = list[float](), asyncio.sleep

    async def look(seconds: float) -> None:
        if seconds == engines.LOOK_SECONDS:
            found.append(seconds)
            seconds = 0
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", look)
    return found


# -- step after step ---------------------------------------------------------------------------------------------------
def test_a_row_goes_from_step_to_step() -> None:
    """Both of its files are uploaded, to one account, of which it takes a slot once it is its turn; what is told comes in that order."""
    scene = Scene(image="i.png", image_sha256="2b")
    scene.hear()
    assert scene.process() == {"state": "done", "why": ""}
    assert scene.steps.calls == [
        ("nobody's expects", (1, ID)),
        ("ledger.take", ID),
        ("upload", "c.mp4", "1a", None),
        ("upload", "i.png", "2b", MAKER),
        (f"{MAKER} take", False),
        ("create", ASSET, IMAGE),
        ("wait",),
        ("fetch",),
        ("publish",),
        ("leave", CALM / 10),
        ("nobody's expects no more", (1, ID)),
    ]
    assert [state for state, _ in scene.told] == ["uploading", "uploading", "waiting", "downloading", "done"]
    facts = scene.row.facts
    assert (facts.asset_id, facts.image_id, facts.task_id) == (ASSET, IMAGE, TASK)


def test_who_names_an_account_is_taken_at_its_word() -> None:
    """All files go to it; nobody need listen."""
    scene = Scene(email="other@example.com", image="i.png", image_sha256="2b")
    scene.process()
    assert [each[3] for each in scene.calls("upload")] == ["other@example.com"] * 2
    assert scene.steps.calls[0][0] == "other@example.com expects"


def test_what_the_service_has_is_not_uploaded() -> None:
    """An asset is used as it is, in the account that it is of."""
    scene = Scene(video=ASSET)
    scene.process()
    assert scene.calls("upload") == []
    assert scene.calls("create", f"{MAKER} take") == [(f"{MAKER} take", False), ("create", ASSET)]
    assert (scene.row.facts.asset_id, scene.row.facts.image_id) == (ASSET, None)
    elsewhere = Scene(video=ASSET, image=IMAGE.replace(MAKER, "other@example.com"))
    elsewhere.process()
    assert len(elsewhere.calls(f"{MAKER} take")) == 1, "that of the clip"


def test_a_task_that_is_there_is_waited_for_whatever_the_gate() -> None:
    """Nothing is uploaded or created; its slot is its own, in the account of its id."""
    scene = Scene(task_id=TASK)
    assert scene.process()["state"] == "done"
    assert [each[0] for each in scene.steps.calls[2:5]] == [f"{MAKER} take", "wait", "fetch"]
    assert scene.calls(f"{MAKER} take") == [(f"{MAKER} take", True)]


def test_a_create_that_may_have_left_goes_on_whatever_the_gate() -> None:
    """It is looked for, and sent again where it is not there, though the account takes nothing new."""
    scene = Scene(intent={"reply_ref": "r"})
    scene.steps.create_gives = answers({"kind": "absent", "times": 1, "why": "none"}, CREATED)
    scene.process()
    assert scene.calls(f"{MAKER} take", f"{MAKER} is open") == [(f"{MAKER} take", True)]
    assert len(scene.calls("create")) == 2


def test_a_file_that_is_known_only_takes_its_name() -> None:
    """One that is lost meanwhile is fetched again; no slot is needed for either."""
    scene = Scene(task_id=TASK, fetched={"bytes": 1})
    scene.steps.publish_gives = answers({"kind": "lost"}, {"kind": "saved"})
    assert scene.process()["state"] == "done"
    assert [each[0] for each in scene.steps.calls[2:-2]] == ["publish", "fetch", "publish"]


def test_a_row_that_is_over_is_told_as_it_is() -> None:
    """Nothing is done with it."""
    scene = Scene(state="failed", why="long ago")
    assert scene.process() == {"state": "failed", "why": "long ago"}
    assert [each[0] for each in scene.steps.calls] == ["nobody's expects", "ledger.take", "nobody's expects no more"]


def test_whoever_looks_on_can_do_nothing_to_a_row() -> None:
    """Neither one whose terminal went away, nor one that hears what the steps tell."""
    scene = Scene()
    heard = list[str]()

    def broken(row: Row | None, state: str, why: str) -> None:
        heard.append(state)
        raise OSError(5, "the terminal is gone")

    scene.engine.on_event = broken
    scene.steps.tell(None, "the account", "closed")
    assert scene.process()["state"] == "done"
    assert heard == ["the account", "uploading", "waiting", "downloading", "done"]


# -- how a row ends ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "given", "ended"),
    [
        ("upload", BROKEN, ("failed", "upload", "APIStatusError", "broken")),
        ("upload", {**BROKEN, "kind": "held"}, ("held", "upload", "APIStatusError", "broken")),
        ("create", {"kind": "refused", "why": "no"}, ("failed", "create", "", "no")),
        ("create", {"kind": "refused", "why": "no", "stage": "moderation"}, ("failed", "moderation", "", "no")),
        ("create", {"kind": "held", "why": "no credits"}, ("held", "create", "", "no credits")),
        ("create", {"kind": "uncertain", "why": "who knows"}, ("uncertain", "create", "", "who knows")),
        ("wait", {**BROKEN, "stage": "task"}, ("failed", "task", "APIStatusError", "broken")),
        ("wait", BROKEN, ("failed", "wait", "APIStatusError", "broken")),
        ("wait", {**BROKEN, "kind": "held"}, ("held", "wait", "APIStatusError", "broken")),
        ("fetch", BROKEN, ("failed", "download", "APIStatusError", "broken")),
        ("publish", BROKEN, ("failed", "download", "APIStatusError", "broken")),
    ],
)
def test_a_step_that_ends_a_row_says_how(step: str, given: dict[str, Any], ended: tuple[str, ...]) -> None:
    """State, stage and error are the step's, nothing comes after it, and a slot that no task has is given back."""
    scene = Scene()
    scene.hear()
    setattr(scene.steps, f"{step}_gives", answers(given))
    assert scene.end() == ended
    names = [each[0] for each in scene.steps.calls]
    assert names[names.index(step) + 1 :] == [
        *([f"{MAKER} give"] if step in ("create", "wait") else []),
        "leave",
        "nobody's expects no more",
    ]
    assert scene.told[-1] == (ended[0], ended[3])


def test_a_defect_is_its_rows_failure_alone() -> None:
    """What nobody has foreseen is told with its kind, and the row is over."""
    scene = Scene()
    scene.steps.create_gives = answers(ValueError("a field that nobody knows"))
    assert scene.end() == ("failed", "batch", "", "ValueError: a field that nobody knows")
    assert scene.engine.defect is None


@pytest.mark.parametrize("has_others", [True, False])
def test_a_clip_that_is_not_here_is_left_to_others(has_others: bool, looks: list[float]) -> None:
    """If there is one that may have it; else the row is over."""
    scene = Scene()
    scene.hear()
    scene.steps.upload_gives = answers({"kind": "unseen", "why": "c.mp4: no such file"})
    scene.steps.has_others = answers(has_others)
    given = list[Row]()

    async def give_back(row: Row) -> None:
        given.append(row)

    scene.engine.give_back = give_back
    if not has_others:
        assert scene.end() == ("failed", "upload", "", "c.mp4: no such file")
        assert given == []
        return
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert given == [scene.row]
    assert len(looks) == 1, "the others come first"
    assert scene.told[-1] == ("queued", "c.mp4: no such file: left to other workers")
    assert scene.calls("leave") == []
    assert scene.engine.defect is None


def test_a_clip_that_is_not_here_ends_no_process() -> None:
    """Also where nobody was named who would put the row back into its queue."""
    scene = Scene()
    scene.steps.upload_gives = answers({"kind": "unseen", "why": "c.mp4: no such file"})
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert scene.engine.defect is None


# -- creates -----------------------------------------------------------------------------------------------------------
BUSY = {"kind": "busy", "why": "it is full"}


@pytest.mark.parametrize(
    ("pause", "words"),
    [(12.0, ""), (29.9, ""), (30.0, "it is full; again in 30 s"), (90.0, "it is full; again in 90 s")],
)
def test_an_account_that_is_full_is_left_to_others_meanwhile(pause: float, words: str) -> None:
    """The slot is given back for the pause; one of half a minute and more is told."""
    scene = Scene()
    scene.hear()
    scene.steps.create_gives = answers({**BUSY, "pause": pause}, {**BUSY, "pause": pause}, CREATED)
    assert scene.process()["state"] == "done"
    assert scene.steps.clock.pauses == [pause] * 2
    assert [each for each in scene.told if each[0] == "waiting for a slot"] == [("waiting for a slot", words)] * 2
    again = ["create", f"{MAKER} is open", f"{MAKER} give", f"{MAKER} take"]
    names = [each[0] for each in scene.steps.calls]
    assert names[names.index("create") : names.index("wait")] == [*again, *again, "create"]


def test_a_gate_that_was_shut_meanwhile_holds_the_row() -> None:
    """Nothing is sent again on an account that takes nothing more."""
    scene = Scene()
    scene.steps.create_gives = answers({**BUSY, "pause": 12.0}, CREATED)
    scene.steps.is_open = answers(Held("no credits", "InsufficientCreditsError"))
    assert scene.end() == ("held", "account", "InsufficientCreditsError", "no credits")
    assert len(scene.calls("create")) == 1


def test_a_create_that_comes_to_nothing_is_sent_three_times() -> None:
    """At once, since each has been proved absent; then it is over, with what was said of the last."""
    scene = Scene()
    scene.steps.create_gives = answers(
        *({"kind": "absent", "times": times, "why": f"none {times}"} for times in (1, 2, 3))
    )
    assert scene.end() == ("failed", "create", "", "3 creates came to nothing, the last so: none 3")
    assert len(scene.calls("create")) == 3
    assert scene.steps.clock.pauses == []


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_create_that_cannot_be_sent_is_held_in_the_end(meanwhile: bool) -> None:
    """A quarter of an hour after the first time, though others were sent between: for another day, and not failed."""
    scene = Scene()
    unsent = {"kind": "unsent", "why": "no connection", "error": "APIConnectionError", "pause": 60.0}
    scene.steps.create_gives = answers(unsent, {**BUSY, "pause": 60.0} if meanwhile else unsent, unsent)
    assert scene.end() == ("held", "account", "APIConnectionError", "no connection")
    assert scene.steps.clock.time == 5_000 + PATIENCE + 60


# -- who has the row ---------------------------------------------------------------------------------------------------
def test_a_row_that_another_worker_has_is_asked_for_again(looks: list[float]) -> None:
    """Until that one is done with it, or gone."""
    scene = Scene()
    scene.steps.takes = answers(None, None, scene.row)
    assert scene.process()["state"] == "done"
    assert len(scene.calls("ledger.take")) == 3
    assert len(looks) == 2


def test_a_row_that_could_not_be_taken_is_not_taken_for_ours() -> None:
    """Whatever kept it from that: the next one who is handed it may have it, and so may one who comes after its end."""
    scene = Scene()
    scene.steps.takes = answers(ProgrammingError("select", {}, Exception("no")), scene.row)
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert isinstance(scene.engine.defect, ProgrammingError)
    for _ in range(2):
        assert asyncio.run(asyncio.wait_for(scene.engine.process(ID, 1, ""), 2))["state"] == "done"


@pytest.mark.parametrize(
    ("failure", "is_defect"),
    [
        (Lost(ID), False),
        (StoreFailed(5, "the disk is full", "j"), False),
        (ProgrammingError("select", {}, Exception("no")), True),
    ],
)
@pytest.mark.parametrize("step", ["create", "takes"])
def test_what_is_no_rows_failure_ends_none(step: str, failure: Exception, is_defect: bool) -> None:
    """The row is another's, or nothing can be recorded: it is left as it is, and nobody is told of an end."""
    scene = Scene()
    scene.hear()
    setattr(scene.steps, "takes" if step == "takes" else "create_gives", answers(failure))
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert (scene.engine.defect is failure) == is_defect
    assert scene.calls("leave") == []
    assert not {state for state, _ in scene.told} & {"failed", "done"}
    assert scene.steps.calls[-1] == ("nobody's expects no more", (1, ID))


def test_a_process_that_ends_takes_no_row() -> None:
    """It does not even ask for it; and one that ends amid a step leaves the row as it is."""
    scene = Scene()
    scene.engine.is_over = True
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert scene.steps.calls == []
    scene.engine.is_over = False

    def closed() -> Any:
        scene.engine.is_over = True
        raise RuntimeError("the client has been closed")

    scene.steps.create_gives = answers(closed)
    with pytest.raises(asyncio.CancelledError):
        scene.process()
    assert scene.calls("leave") == []
    assert scene.engine.defect is None


def test_rows_that_are_here_are_counted() -> None:
    """While there is one nobody need ask the store for open rows."""
    scene = Scene()
    go_on = asyncio.Event()

    async def main() -> None:
        async def slowly() -> Any:
            await go_on.wait()
            return CREATED

        scene.steps.create_gives = slowly
        assert not scene.engine.is_busy
        going = asyncio.create_task(scene.engine.process(ID, 1, ""))
        await soon(lambda: bool(scene.calls("create")))
        assert scene.engine.is_busy
        go_on.set()
        await going
        assert not scene.engine.is_busy

    asyncio.run(main())
