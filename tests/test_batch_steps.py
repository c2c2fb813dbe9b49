"""The steps that begin a row: its upload, its one create, and the look for what may have come of that, in time that only pauses take."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from useapi_runwayml import errors
from useapi_runwayml.batch import posting
from useapi_runwayml.batch import steps as stepping
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.ledger import Ledger, Row
from useapi_runwayml.batch.limits import Held
from useapi_runwayml.batch.results import digest_of
from useapi_runwayml.batch.steps import CHANGED, UNSURE, Steps
from useapi_runwayml.batch.store import open_store
from useapi_runwayml.batch.tables import BATCHES, LIVING, METADATA, ROWS, UPLOADS, WORKERS
from useapi_runwayml.batch.transactions import Transactions

from .conftest import MP4
from .pausing import Clock, answers

ID = "row-1-1"
KEY = "k" * 32
MAKER, OTHER = "maker@example.com", "other@example.com"
ASSET = f"user:4242-runwayml:{MAKER}-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
IMAGE = f"user:4242-runwayml:{OTHER}-asset:8d0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
TASK = f"user:4242-runwayml:{MAKER}-task:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
REFERENCE = f"batch-{KEY}-1.1"
OURS = SimpleNamespace(task_id=TASK, reply_ref=REFERENCE, created_at=None)
THEIRS = SimpleNamespace(task_id="another", reply_ref="theirs", created_at=None)
NO_CREDITS = errors.InsufficientCreditsError("no credits", status=412)
NOBODY_KNOWS = errors.SubmissionUnknownError("no answer", reply_ref=REFERENCE)
INTENT = {"reply_ref": REFERENCE, "service_at": None}


class Scene:
    """One row in a store of its own, a client each of whose calls gives what it was told to, and what was asked and told."""

    def __init__(self, folder: Path, *, max_credits: float | None = None, settle: float = 60.0, **more: Any) -> None:
        engine = open_store(folder / "journal.sqlite")
        METADATA.create_all(engine)
        self.store = Transactions(engine)
        self.clip = folder / "c.mp4"
        self.clip.write_bytes(MP4)
        job = Job(1, 2, str(self.clip), "a prompt", "1.mp4", key=KEY, **{"parameters": {"seconds": 5}, **more})
        settings = json.dumps({"settle": settle, "max_credits": max_credits})
        values = {"id": ID, "batch": "b", "row": 1, "attempt": 1, "queue": "q", "state": "queued"}
        facts = {"job": job.write(folder), "facts": Facts(job).kept()}
        self.write(insert(BATCHES).values(name="b", options=settings, max_credits=max_credits))
        self.write(insert(ROWS).values(**values, **facts))
        self.clock = Clock(2)
        self.has_date = True
        self.asked: list[Any] = []
        self.told: list[tuple[str, str]] = []
        self.uploaded: Any = answers(SimpleNamespace(asset_id=ASSET))
        self.created: Any = answers(SimpleNamespace(task_id=TASK))
        self.tracked: Any = answers([])
        self.listed: Any = answers([])
        there: Any = SimpleNamespace(
            assets=SimpleNamespace(upload=self._upload),
            tasks=SimpleNamespace(list=self._list),
            scheduler=SimpleNamespace(list=lambda: self.tracked()),
            **{name: SimpleNamespace(create=self._create) for name in ("video_to_video", "aleph")},
        )
        service: Any = self
        self.steps = Steps(there, self.clock, service, Ledger(self.store, "w", folder), self.store)
        self.steps.tell = lambda row, state, why: self.told.append((state, why))

    def now(self) -> float | None:
        """By the service's clock."""
        return self.clock.time + 1e9 if self.has_date else None

    async def _upload(self, path: str, email: str | None) -> Any:
        self.asked.append(("upload", path, email))
        return await self.uploaded()

    async def _create(self, **given: Any) -> Any:
        self.asked.append(("create", given))
        try:
            await self.steps.posting(httpx.Request("POST", "https://a.test"))
        except httpx.ConnectError as error:
            raise errors.APIConnectionError(str(error), maybe_sent=False) from error
        return await self.created()

    async def _list(self, email: str | None) -> Any:
        self.asked.append(("list", email))
        for each in await self.listed():
            yield each

    def write(self, change: Any) -> None:
        self.store.now(lambda connection: connection.execute(change))

    def read(self, *columns: Any) -> Any:
        return tuple(
            self.store.now(
                lambda connection: connection.execute(select(*columns).where(BATCHES.c.name == ROWS.c.batch)).one()
            )
        )

    async def take(self) -> Row:
        found = await self.steps.ledger.take(ID)
        assert isinstance(found, Row)
        return found

    async def begin(self, row: Row, *assets: str) -> dict[str, Any]:
        return await self.steps.create(row, assets or (ASSET,), self.steps.account(MAKER))

    def create(self, *assets: str, intent: Any = None, **known: Any) -> tuple[dict[str, Any], Facts]:
        """What a create gives, and what is known of its row then, by its store too."""

        async def main() -> tuple[dict[str, Any], Facts]:
            row = await self.take()
            row.facts.intent, row.facts.reply_ref = intent, (intent or {}).get("reply_ref")
            vars(row.facts).update(known)
            await self.steps.ledger.save(row)
            found = await self.begin(row, *assets)
            again = await self.take()
            assert again.facts == row.facts
            return found, row.facts

        return asyncio.run(main())

    def upload(self, email: str | None = MAKER, *, sha256: str = "", intent: Any = None) -> dict[str, Any]:
        async def main() -> dict[str, Any]:
            row = await self.take()
            row.facts.intent = intent
            return await self.steps.upload(row, str(self.clip), sha256, email)

        return asyncio.run(main())

    @property
    def settles(self) -> list[Any]:
        """The accounts whose tasks were listed."""
        return [each[1] for each in self.asked if each[0] == "list"]

    def is_closed(self, email: str | None = MAKER) -> bool:
        try:
            asyncio.run(self.steps.account(email).check_open())
        except Held:
            return True
        return False


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def new(**more: Any) -> Scene:
        made.append(Scene(tmp_path, **more))
        return made[-1]

    yield new
    for each in made:
        each.store.engine.dispose()


@pytest.fixture
def scene(make: Callable[..., Scene]) -> Scene:
    return make()


# -- a create ----------------------------------------------------------------------------------------------------------
def test_a_create_is_sent_once_under_its_intent(scene: Scene) -> None:
    """What is asked for, with a reference that is the row's alone; it is written down before, and its task after."""
    found, facts = scene.create()
    assert found == {"kind": "created", "task_id": TASK}
    ((_, given),) = scene.asked
    timeout = given.pop("timeout")
    assert given == {
        "busy_timeout": 0,
        "asset_id": ASSET,
        "text_prompt": "a prompt",
        "seconds": 5,
        "reply_ref": REFERENCE,
    }
    assert timeout == 45, "over well before its absence can be proved"
    assert (facts.task_id, facts.intent, facts.paid, facts.state) == (TASK, None, True, "waiting")
    assert scene.told == [("submitting", "")]
    assert scene.read(ROWS.c.state, ROWS.c.credits, BATCHES.c.spent) == ("waiting", 25, 25)


def test_a_post_has_a_minute_of_the_machines_at_the_most(make: Callable[..., Scene]) -> None:
    """However long a create's task may be looked for; the batch's clock runs twice as fast here."""
    scene = make(settle=20_000)
    scene.create()
    assert scene.asked[0][1]["timeout"] == 120


def test_a_further_create_of_a_row_has_a_reference_of_its_own(scene: Scene) -> None:
    """It counts those that were intended."""
    _, facts = scene.create(sends=4)
    assert facts.reply_ref == f"batch-{KEY}-1.5"


@pytest.mark.parametrize(
    ("endpoint", "assets", "sent"),
    [
        ("aleph", (ASSET, IMAGE), {"video_asset_id": ASSET, "image_asset_id": IMAGE}),
        ("aleph", (ASSET,), {"video_asset_id": ASSET}),
        ("video_to_video", (ASSET,), {"asset_id": ASSET}),
        ("video_to_video", (ASSET, IMAGE), {"asset_id": ASSET}),
    ],
)
def test_what_a_create_is_made_of_has_its_own_names(
    make: Callable[..., Scene], endpoint: str, assets: tuple[str, ...], sent: dict[str, str]
) -> None:
    """Those of its endpoint: an image where there is one, and where it takes one."""
    scene = make(endpoint=endpoint)
    scene.create(*assets)
    given = scene.asked[0][1]
    assert {name: value for name, value in given.items() if "asset" in name} == sent


def test_what_would_cost_too_much_is_not_sent(make: Callable[..., Scene]) -> None:
    """It is held, with nothing left open."""
    scene = make(max_credits=24)
    found, facts = scene.create()
    assert (found["kind"], found["error"]) == ("held", "Budget")
    assert "--max-credits 24" in found["why"]
    assert scene.asked == []
    assert (facts.intent, facts.sends) == (None, 0)


@pytest.mark.parametrize(
    ("failure", "found"),
    [
        (errors.ModerationError("not that", status=422), {"kind": "refused", "stage": "moderation"}),
        (errors.BadRequestError("not so", status=400), {"kind": "refused", "stage": "create"}),
        (errors.ServerError("not now", status=503), {"kind": "unsent", "pause": 60}),
        (errors.APIConnectionError("no connection", maybe_sent=False), {"kind": "unsent", "pause": 60}),
        (errors.AuthenticationError("not you", status=401), {"kind": "held"}),
        (NO_CREDITS, {"kind": "held"}),
    ],
)
def test_a_create_that_is_refused_costs_nothing(scene: Scene, failure: Exception, found: dict[str, Any]) -> None:
    """What was reserved for it is free again; what all creates of its account would meet shuts that."""
    scene.created = answers(failure)
    told, facts = scene.create()
    assert told == {"why": str(failure), "error": type(failure).__name__, **found}
    assert (facts.intent, facts.state, facts.absent, facts.sends) == (None, "queued", 0, 1)
    assert scene.read(ROWS.c.credits, ROWS.c.is_intended, BATCHES.c.spent) == (0, False, 0)
    assert scene.is_closed() == (found["kind"] == "held")
    assert scene.settles == []


def test_a_create_waits_until_its_worker_is_sure_of_its_lock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes, as in an outage of the database: nothing leaves meanwhile, and it is no failure of the service."""
    sure, looks = [False] * 5 + [True] * 2, list[float]()
    before = dict[str, Any]()

    async def is_sure() -> bool:
        before.setdefault("sent", scene.steps.posting.was_sent(REFERENCE))
        return sure.pop(0)

    async def look(seconds: float) -> None:
        looks.append(seconds)

    monkeypatch.setattr(posting.asyncio, "sleep", look)
    scene.steps.posting.is_sure = is_sure
    found, facts = scene.create()
    assert (found["kind"], facts.sends, sure) == ("created", 1, [])
    assert looks == [1.0] * 4
    assert before == {"sent": False}
    assert [why for _, why in scene.told] == ["", UNSURE, ""]


def test_what_cannot_be_sent_after_that_is_unsent(scene: Scene) -> None:
    """The lock was there again, and then the service was not: that is told, and lasts no longer than it may."""
    scene.steps.posting.is_sure = answers(False, True)
    scene.created = answers(errors.APIConnectionError("no connection", maybe_sent=False))
    found, _ = scene.create()
    assert (found["kind"], found["why"]) == ("unsent", "no connection")


@pytest.mark.parametrize(("wish", "pause"), [(None, 17.0), (30.0, 30.0), (1.5, 1.5), (0.5, 1.0), (0.0, 1.0)])
def test_a_busy_account_is_left_alone_for_as_long_as_it_asks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, wish: float | None, pause: float
) -> None:
    """By the row, and by all others; somewhere between ten seconds and thirty where it says nothing, a second at the least."""
    bounds, lowered = list[Any](), list[float]()

    def uniform(*given: float) -> float:
        bounds.append(given)
        return 17.0

    async def lower(seconds: float) -> None:
        lowered.append(seconds)

    monkeypatch.setattr(stepping.random, "uniform", uniform)
    monkeypatch.setattr(scene.steps.account(MAKER), "lower", lower)
    scene.created = answers(errors.RateLimitError("busy", status=429, retry_after=wish))
    found, facts = scene.create()
    assert (found["kind"], found["error"], found["pause"]) == ("busy", "RateLimitError", pause)
    assert lowered == [pause]
    assert bounds == ([(10, 30)] if wish is None else [])
    assert facts.intent is None


@pytest.mark.parametrize(("status", "left"), [(404, 1), (400, 3)])
def test_assets_that_the_service_has_no_more_are_forgotten(make: Callable[..., Scene], status: int, left: int) -> None:
    """Both of a row that is refused for that, and those of nobody else: they are uploaded anew."""
    scene = make(endpoint="aleph")
    for each in (ASSET, IMAGE, "another"):
        scene.write(insert(UPLOADS).values(sha256=each, email=MAKER, worker="w", asset_id=each))
    refused = errors.NotFoundError if status == 404 else errors.BadRequestError
    scene.created = answers(refused("no", status=status))
    assert scene.create(ASSET, IMAGE)[0]["kind"] == "refused"
    known = scene.store.now(lambda connection: connection.execute(select(UPLOADS.c.asset_id)).scalars().all())
    assert len(known) == left


def test_a_create_that_left_and_came_to_nothing_is_counted(scene: Scene) -> None:
    """That it is not there was proved: what it would have cost is free again, and the next one has another reference."""
    scene.created = answers(NOBODY_KNOWS)
    found, facts = scene.create(absent=1)
    assert (found["kind"], found["was_sent"], found["times"]) == ("absent", True, 2)
    assert (facts.absent, facts.intent) == (2, None)
    assert scene.read(ROWS.c.credits, BATCHES.c.spent) == (0, 0)
    assert sum(scene.clock.pauses) == 60


def test_an_intent_of_an_earlier_worker_may_never_have_left(scene: Scene) -> None:
    """It is looked for, and not sent; that it is not there counts for nothing."""
    found, facts = scene.create(intent=INTENT, absent=1)
    assert (found["kind"], found["times"], facts.absent, facts.intent) == ("absent", 1, 1, None)
    assert [each[0] for each in scene.asked if each[0] == "create"] == []


@pytest.mark.parametrize("where", ["tracked", "listed"])
def test_a_create_that_arrived_is_found(scene: Scene, where: str) -> None:
    """Where a clip and an image are of two accounts, in that of the clip."""
    scene.created = answers(NOBODY_KNOWS)
    setattr(scene, where, answers([THEIRS, OURS]))
    found, facts = scene.create(ASSET, IMAGE)
    assert found == {"kind": "created", "task_id": TASK, "was_sent": True}
    assert (facts.task_id, facts.paid) == (TASK, True)
    assert scene.settles == [MAKER]
    why = "whether its create arrived is not known: its task is looked for, up to 60 s"
    assert scene.told == [("submitting", ""), ("submitting", why)]


def test_what_stays_uncertain_keeps_its_intent(scene: Scene) -> None:
    """Nobody sends it again, and what it may have cost stays reserved."""
    scene.created, scene.tracked = answers(NOBODY_KNOWS), answers(NO_CREDITS)
    found, facts = scene.create()
    intent = {"reply_ref": REFERENCE, "service_at": 5_000.0 + 1e9}
    why = {"why": str(NO_CREDITS), "error": "InsufficientCreditsError"}
    assert found == {**intent, "was_sent": True, "kind": "uncertain", **why}
    assert facts.intent == intent
    assert scene.read(BATCHES.c.spent, ROWS.c.is_intended) == (25, True)
    assert scene.is_closed()


def test_a_task_that_cannot_be_written_down_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps it from being so: nobody has to guess its id."""

    async def lost(row: Row) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scene.steps.ledger, "save", lost)

    async def main() -> None:
        await scene.begin(await scene.take())

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert scene.told[-1] == ("waiting", f"its task is {TASK} (replyRef {REFERENCE}), which could not be recorded")


def test_what_has_not_begun_to_leave_may_be_taken_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its intent on, until its request is on its way; a row that is held has none."""
    steps, sent, over = scene.steps, asyncio.Event(), asyncio.Event()
    seen: list[list[Row]] = []
    steps.tell = lambda row, state, why: seen.append(steps.never_sent())

    async def sure() -> bool:
        seen.append(steps.never_sent())
        return True

    async def created() -> Any:
        sent.set()
        await over.wait()
        return SimpleNamespace(task_id=TASK)

    async def main() -> None:
        steps.posting.is_sure = sure
        scene.created = created
        row = await scene.take()
        beginning = asyncio.create_task(scene.begin(row))
        await asyncio.wait_for(sent.wait(), 5)
        assert seen == [[], [row]]
        assert steps.never_sent() == []
        assert steps.posting.was_sent(REFERENCE)
        over.set()
        await beginning

    asyncio.run(main())


@pytest.mark.parametrize("outcome", [SimpleNamespace(task_id=TASK), errors.BadRequestError("not so", status=400)])
def test_a_create_whose_outcome_is_written_down_is_remembered_no_more(scene: Scene, outcome: Any) -> None:
    """Neither its row nor its reference: a batch may have twenty thousand."""

    async def main() -> weakref.ref[Row]:
        scene.created = answers(outcome)
        row = await scene.take()
        await scene.begin(row)
        assert not scene.steps.posting.was_sent(REFERENCE)
        return weakref.ref(row)

    remembered = asyncio.run(main())
    if isinstance(outcome, Exception):
        outcome.__traceback__ = None
    gc.collect()
    assert remembered() is None


# -- the look for a create ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settle", "pauses"), [(25, [10, 10, 5]), (20.5, [10, 10, 1]), (5.5, [5.5]), (22, [10, 10, 2])]
)
def test_an_absence_is_proved_once_its_time_has_passed(
    make: Callable[..., Scene], settle: float, pauses: list[float]
) -> None:
    """By the service's clock; it is asked every ten seconds, and at the end."""
    scene = make(settle=settle)
    assert scene.create(intent=INTENT)[0]["kind"] == "absent"
    assert scene.clock.pauses == pauses


@pytest.mark.parametrize(("settle", "pauses"), [(5.5, [5.5]), (25, [10, 10, 10])])
def test_without_a_date_nothing_is_proved(make: Callable[..., Scene], settle: float, pauses: list[float]) -> None:
    """It is looked for as long, and then it is for a person; that is said."""
    scene = make(settle=settle)
    scene.has_date = False
    found, facts = scene.create(intent=INTENT)
    why = "the service's answers tell no date, so that nothing is proved"
    assert found == {**INTENT, "kind": "uncertain", "why": why}
    assert facts.intent == INTENT
    assert scene.clock.pauses == pauses
    told = ("submitting", "its task is looked for, but the answers tell no date: without one its absence is not proved")
    assert scene.told[1:] == [told] * len(pauses)


def test_time_counts_from_the_first_date(scene: Scene) -> None:
    """What passed before proves nothing."""
    dates = iter([None, None, 100.0, 130.0, 159.0, 160.0])
    scene.now = lambda: next(dates)  # type: ignore[method-assign]
    assert scene.create(intent=INTENT)[0]["kind"] == "absent"
    assert scene.clock.pauses == [10, 10, 10, 1]
    assert len(scene.told) == 2, "that there is none is said once, since there is one from then on"


def test_an_answer_without_a_date_proves_nothing(scene: Scene) -> None:
    """Also after others that had one; time counts on from the first of those."""
    dates = iter([100.0, 100.0, None, 130.0, 161.0])
    scene.now = lambda: next(dates)  # type: ignore[method-assign]
    assert scene.create(intent=INTENT)[0]["kind"] == "absent"
    assert scene.clock.pauses == [10, 10, 10]


@pytest.mark.parametrize(("count", "kind"), [(99, "absent"), (100, "uncertain"), (101, "uncertain")])
def test_a_full_page_need_not_be_all(scene: Scene, count: int, kind: str) -> None:
    """What it does not show may be on the next one; a page that is not full is the whole list."""
    scene.listed = answers([THEIRS] * count)
    assert scene.create(intent=INTENT)[0]["kind"] == kind


@pytest.mark.parametrize(
    ("wish", "settle", "pauses"),
    [
        (0, 60, [*range(5, 60, 5), *[60] * 10]),
        (300, 60, [300] * 3),
        (450, 60, [450] * 3),
        (900, 3600, [900] * 4),
    ],
)
def test_a_service_that_cannot_be_read_is_asked_for_a_quarter_of_an_hour(
    make: Callable[..., Scene], wish: float, settle: float, pauses: list[float]
) -> None:
    """With growing pauses, or those that it asks for; four times at the least, and not less long than a create is looked for."""
    scene = make(settle=settle)
    scene.tracked = answers(errors.ServerError("down", status=503, retry_after=wish or None))
    found, facts = scene.create(intent=INTENT)
    assert found == {**INTENT, "kind": "uncertain", "why": "the service cannot be read: 503 down"}
    assert facts.intent == INTENT
    assert scene.clock.pauses == pauses


def test_an_outage_is_no_answer(scene: Scene) -> None:
    """Once it is over it is looked for again."""
    down = errors.ServerError("down", status=503)
    scene.listed = answers(down, down, [OURS])
    assert scene.create(intent=INTENT)[0] == {"kind": "created", "task_id": TASK}
    assert scene.clock.pauses == [5, 10]


# -- an upload ---------------------------------------------------------------------------------------------------------
def test_a_clip_is_uploaded_to_its_account(scene: Scene) -> None:
    """Once for all rows that have the same."""
    for _ in range(2):
        assert scene.upload() == {"kind": "uploaded", "asset_id": ASSET}
    assert scene.asked == [("upload", str(scene.clip), MAKER)]
    assert scene.steps.account(None).name == "", "of rows that name none nothing is known by that"


def test_an_upload_tells_whose_the_rows_without_an_email_are(scene: Scene) -> None:
    """Their account is that of the asset."""
    scene.upload(None)
    assert scene.steps.account(None) is scene.steps.account(MAKER)


@pytest.mark.parametrize("sha256", ["", "1a"])
def test_a_clip_that_is_not_here_is_unseen(scene: Scene, sha256: str) -> None:
    """What this machine says of it."""
    scene.clip.unlink()
    assert scene.upload(sha256=sha256) == {"kind": "unseen", "why": f"{scene.clip}: No such file or directory"}


@pytest.mark.parametrize("failure", [FileNotFoundError("away"), FileNotFoundError(2, "away", "a path")])
def test_a_clip_that_goes_away_meanwhile_is_unseen(scene: Scene, failure: Exception) -> None:
    """Whether its driver gives a number or not."""
    scene.uploaded = answers(failure)
    assert scene.upload() == {"kind": "unseen", "why": f"{scene.clip}: away"}


def test_another_clip_of_that_name_is_not_uploaded(scene: Scene) -> None:
    """It is not what its batch has seen."""
    assert scene.upload(sha256="1a") == {"kind": "unseen", "why": f"{scene.clip}: {CHANGED}"}
    assert scene.upload(sha256=digest_of(scene.clip))["kind"] == "uploaded"


@pytest.mark.parametrize("failure", [PermissionError(13, "not yours"), errors.BadRequestError("no clip", status=400)])
def test_an_upload_that_fails_is_its_rows_failure(scene: Scene, failure: Exception) -> None:
    """In its words."""
    scene.uploaded = answers(failure)
    assert scene.upload() == {"kind": "failed", "why": str(failure), "error": type(failure).__name__}
    assert not scene.is_closed()


def test_an_account_that_takes_no_upload_is_shut(scene: Scene) -> None:
    """What is held then is held with its reason, and nobody uploads for nothing; what has begun goes on."""
    scene.uploaded = answers(NO_CREDITS, SimpleNamespace(asset_id=ASSET))
    assert scene.upload() == {"kind": "held", "why": str(NO_CREDITS), "error": "InsufficientCreditsError"}
    assert scene.told == [(f"account {MAKER}", f"no more creates until `batch resume`: {NO_CREDITS}")]
    with pytest.raises(Held):
        scene.upload()
    assert len(scene.asked) == 1
    assert scene.upload(intent=INTENT)["kind"] == "uploaded"


def test_an_upload_of_another_worker_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for once a second, and not sent again."""
    looks, sleep = list[float](), asyncio.sleep
    here = {"sha256": digest_of(scene.clip), "email": MAKER}
    scene.write(insert(WORKERS).values(id="x", life=LIVING))
    scene.write(insert(UPLOADS).values(worker="x", **here))

    async def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            scene.write(update(UPLOADS).values(asset_id=IMAGE))
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", look)
    assert scene.upload() == {"kind": "uploaded", "asset_id": IMAGE}
    assert (looks, scene.asked) == ([1, 1, 1], [])


@pytest.mark.parametrize(("failure", "asked"), [(errors.ServerError("down", status=500), 1), (OSError(5, "broken"), 3)])
def test_rows_that_wait_for_one_upload_fail_with_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception, asked: int
) -> None:
    """One has tried for as long as it is worth; not where only its own file was in the way. Who comes later tries again."""

    async def call(row: Row, state: str, once: Callable[[], Awaitable[Any]]) -> Any:
        return await once()

    async def main() -> None:
        row = await scene.take()
        uploads = [scene.steps.upload(row, str(scene.clip), "", MAKER) for _ in range(3)]
        assert [each["kind"] for each in await asyncio.gather(*uploads)] == ["failed"] * 3
        assert len(scene.asked) == asked
        assert (await scene.steps.upload(row, str(scene.clip), "", MAKER))["kind"] == "failed"
        assert len(scene.asked) == asked + 1

    monkeypatch.setattr(scene.steps, "_patiently", call)
    scene.uploaded = answers(failure)
    asyncio.run(main())


def test_nothing_is_uploaded_that_would_cost_too_much(make: Callable[..., Scene]) -> None:
    """A row that has begun is paid already."""
    scene = make(max_credits=24)
    with pytest.raises(Held, match="--max-credits"):
        scene.upload()
    assert scene.asked == []
    assert scene.upload(intent=INTENT)["kind"] == "uploaded"


# -- accounts ----------------------------------------------------------------------------------------------------------
def test_what_earlier_workers_found_out_of_the_account_is_known(scene: Scene) -> None:
    """Where one has uploaded for a row without an email; else nothing is."""
    asyncio.run(scene.steps.learn())
    assert scene.steps.account(None).name == ""
    scene.write(insert(UPLOADS).values(sha256="1a", email="", worker="gone", asset_id=ASSET))
    asyncio.run(scene.steps.learn())
    assert scene.steps.account(None).name == MAKER
    assert scene.steps.account(OTHER).name == OTHER


def test_who_waits_for_an_account_without_a_name_goes_on_waiting_by_its_name(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One account is one, whoever names it; what was said of the nameless one is over."""
    steps = scene.steps
    nameless = steps.account(None)
    steps.learn_home("an asset of nobody")
    assert steps.account(None) is nameless
    waits(scene, "", 100)
    steps.learn_home(ASSET)
    steps.learn_home(ASSET)
    assert steps.account(None) is steps.account(MAKER) is nameless
    assert nameless.name == MAKER
    assert scene.told == [("the account", "the service asked to wait: nothing is begun for 100 s"), ("the account", "")]


def waits(scene: Scene, email: str, seconds: float) -> list[tuple[str, str]]:
    """What is newly told once an account says that it is to wait so long."""
    before = len(scene.told)
    scene.steps.account(email)._on_wait(email, seconds)
    return scene.told[before:]


def test_a_long_wait_of_an_account_is_told_once(scene: Scene) -> None:
    """From half a minute on; again once it is to last half a minute longer, and once it is over."""
    about = f"account {MAKER}"

    def told(seconds: str) -> list[tuple[str, str]]:
        return [(about, f"the service asked to wait: nothing is begun for {seconds}")]

    assert waits(scene, MAKER, 29) == waits(scene, MAKER, 0) == []
    assert waits(scene, MAKER, 30) == told("30 s")
    assert waits(scene, MAKER, 30) == [], "it is the same one"
    assert waits(scene, MAKER, 59) == []
    assert waits(scene, MAKER, 60) == told("60 s")
    assert waits(scene, OTHER, 60) == [(f"account {OTHER}", told("60 s")[0][1])]
    scene.clock.time += 25
    assert waits(scene, MAKER, 35) == [], "it has come nearer"
    assert waits(scene, MAKER, 29) == [(about, "")]
    assert waits(scene, MAKER, 0) == []
