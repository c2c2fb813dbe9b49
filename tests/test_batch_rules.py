"""The pure rules of a batch: when a create may be sent again, slots and gates, what another attempt begins with."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from useapi_runwayml_api.models import ScheduledTask, Task

from useapi_runwayml.batch.changes import resolved, to_resume, to_retry, unfit
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.facts import Facts, latest
from useapi_runwayml.batch.settling import judge

AT = 1_767_322_800.0
OLDER = {"taskId": "t-old", "replyRef": "another", "createdAt": "2026-01-02T02:59:00Z"}


def verdict(
    listed: list[dict[str, Any]],
    tracked: list[dict[str, Any]] | None = None,
    *,
    elapsed: float | None = 61.0,
    is_whole: bool = False,
) -> Any:
    return judge(
        "ours",
        [ScheduledTask.from_dict(each) for each in tracked or []],
        [Task.from_dict(each) for each in listed],
        intended_at=AT,
        elapsed=elapsed,
        settle=60,
        is_whole=is_whole,
    )


@pytest.mark.parametrize("elapsed", [0, 59, 61])
def test_a_task_with_our_reference_is_ours(elapsed: float) -> None:
    """In the list or in the scheduler, at any time; a reference of several tasks is for a person."""
    ours = {"taskId": "t1", "replyRef": "ours"}
    for found in (
        verdict([ours], elapsed=elapsed),
        verdict([], [ours], elapsed=elapsed),
        verdict([ours], [ours], elapsed=elapsed),
    ):
        assert (found.kind, found.task_id) == ("found", "t1")
    assert verdict([ours], [{**ours, "taskId": "t2"}], elapsed=elapsed).kind == "uncertain"


def test_it_is_sent_again_only_on_proof() -> None:
    """Time has passed, the list shows replyRefs, reaches back before the intent, and has its newest first."""
    newer = {"taskId": "t-new", "replyRef": "third", "createdAt": "2026-01-02T03:00:30Z"}
    assert verdict([newer, OLDER]).kind == "absent"
    assert verdict([newer, OLDER], elapsed=59).kind == "early"
    assert verdict([newer, OLDER], elapsed=60).kind == "absent"


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ([], "does not reach back"),
        ([{**OLDER, "replyRef": None}], "shows no replyRef"),
        ([{**OLDER, "createdAt": "2026-01-02T03:00:30Z"}], "does not reach back"),
        ([{**OLDER, "createdAt": None}], "does not reach back"),
        ([OLDER, {"taskId": "t", "createdAt": "2026-01-02T03:00:30Z"}], "not newest first"),
    ],
)
def test_without_proof_it_is_uncertain(listed: list[dict[str, Any]], why: str) -> None:
    """Each lack has its reason, and none is taken for "does not exist"."""
    found = verdict(listed)
    assert found.kind == "uncertain"
    assert why in found.why


WEB = {"taskId": "web", "createdAt": "2026-01-02T03:00:20Z"}


def test_tasks_of_the_web_application_prove_nothing_and_hide_nothing() -> None:
    """They bear no replyRef: beside a task of ours the list still proves an absence, alone they do not."""
    assert verdict([WEB, OLDER]).kind == "absent"
    assert verdict([OLDER, {**WEB, "createdAt": "2026-01-02T02:00:00Z"}]).kind == "absent"
    assert verdict([{**WEB, "createdAt": "2026-01-02T02:00:00Z"}]).kind == "uncertain"


@pytest.mark.parametrize(
    ("hour", "kind"),
    [
        ("2025-12-31T23:59:00", "absent"),
        ("2026-01-01T00:59:59", "absent"),
        ("2026-01-01T01:00:00", "uncertain"),
        ("2026-01-01T02:59:00", "uncertain"),
    ],
)
def test_what_is_far_older_than_the_create_cannot_be_it(hour: str, kind: str) -> None:
    """On an account that was used in the web application alone no task bears a replyRef: more than a day before, it is another's all the same."""
    web = {**WEB, "createdAt": f"{hour}Z"}
    assert verdict([web], is_whole=True).kind == kind
    assert verdict([web, {**web, "createdAt": None}], is_whole=True).kind == "uncertain"
    assert (
        judge("ours", [], [Task.from_dict(web)], intended_at=None, elapsed=61, settle=60, is_whole=True).kind
        == "uncertain"
    )


def test_a_reference_is_the_same_in_any_form_of_unicode() -> None:
    """The service may keep it composed: its task is found, and not made again."""
    listed = [Task.from_dict({"taskId": "t1", "replyRef": unicodedata.normalize("NFC", "café~batch")})]
    ours = unicodedata.normalize("NFD", "café~batch")
    assert judge(ours, [], listed, intended_at=AT, elapsed=61, settle=60, is_whole=True).task_id == "t1"


def test_without_the_services_date_nothing_is_proved() -> None:
    """An intent whose moment on the service's clock is not known is for a person."""
    found = judge("ours", [], [Task.from_dict(OLDER)], intended_at=None, elapsed=61, settle=60, is_whole=False)
    assert found.kind == "uncertain"
    assert verdict([OLDER], elapsed=None).kind == "early"


def test_a_list_that_is_whole_reaches_back_to_the_beginning() -> None:
    """On an account without older tasks too: what is not in it does not exist, if the list would show its replyRef."""
    newer = {**OLDER, "createdAt": "2026-01-02T03:00:30Z"}
    for listed in ([], [newer], [{**newer, "createdAt": None}]):
        assert verdict(listed, is_whole=True).kind == "absent"
        assert verdict(listed, is_whole=False).kind == "uncertain"
        assert verdict(listed, is_whole=True, elapsed=59).kind == "early"
    assert "shows no replyRef" in verdict([WEB], is_whole=True).why


INTENT = {"reply_ref": "ours", "service_at": 1.0}


def row(**known: Any) -> Facts:
    return Facts(Job(1, 2, "c.mp4", "x", "o.mp4"), **known)


def test_what_is_known_of_a_row_is_kept() -> None:
    """All of it is written and read again, and what is not known takes no room."""
    known = row(
        state="waiting",
        asset_id="a",
        reply_ref="ours",
        intent=INTENT,
        task_id="t",
        paid=True,
        seconds=3.5,
        seed=7,
        sends=2,
    )
    assert Facts.read(known.job, "waiting", known.kept()) == known
    zero = row(seed=0, seconds=0.0, bytes=0)
    assert Facts.read(zero.job, "queued", zero.kept()) == zero
    assert row().kept() == "{}"
    assert (row().sends, row().absent, row().paid) == (0, 0, False), "nothing was sent"
    assert not row().has_begun
    assert row(intent=INTENT).has_begun
    assert row(task_id="t").has_begun


@pytest.mark.parametrize("state", ["held", "failed"])
def test_an_end_that_leaves_an_intent_open_is_uncertain(state: str) -> None:
    """Whatever ended the row: a create without an outcome may have left, so that nothing sends it again unasked."""
    found = row(intent=INTENT, reply_ref="ours")
    found.end({"state": state, "stage": "batch", "why": "x"})
    assert found.state == "uncertain"
    assert to_retry([found]) == []
    (job,) = to_resume([found])
    assert (job.intent, job.task_id) == (INTENT, None), "it is looked for, as what it is"
    assert Facts.of(job).intent == INTENT


@pytest.mark.parametrize("state", ["done", "given up"])
def test_an_end_that_a_row_was_brought_to_stays(state: str) -> None:
    """A result that is there, and what a person decided, is not uncertain again."""
    found = row(intent=INTENT)
    found.end({"state": state})
    assert found.state == state


def test_a_further_attempt_has_the_reference_of_what_there_is() -> None:
    """By it a task that was paid for, or a create that may have left, is known; a new create gets one of its own."""
    for known, references in (
        (row(state="failed", stage="download", task_id="t", reply_ref="ours"), ["ours"]),
        (row(state="uncertain", intent=INTENT, reply_ref="ours"), ["ours"]),
        (row(state="held", stage="account", reply_ref="ours"), [None]),
        (row(state="held", stage="wait", task_id="t", reply_ref="ours"), ["ours"]),
    ):
        assert [job.reply_ref for job in to_resume([known])] == references
    assert [job.reply_ref for job in to_retry([failed("task", task_id="t")])] == [None]


@pytest.mark.parametrize(("asset_id", "state"), [("a", "uploaded"), (None, "queued")])
def test_a_create_that_came_to_nothing_leaves_its_row_where_it_was(asset_id: str | None, state: str) -> None:
    """Its clip is there or not, and nothing is open."""
    found = row(state="submitting", intent=INTENT, asset_id=asset_id)
    found.take_back()
    assert (found.state, found.intent) == (state, None)


@pytest.mark.parametrize(
    ("decision", "state", "error", "ended"),
    [
        ("adopt", "failed", "NotFoundError", "uncertain"),
        ("adopt", "failed", "TaskFailedError", "failed"),
        ("adopt", "held", "NotFoundError", "held"),
        ("send again", "failed", "NotFoundError", "failed"),
        (None, "failed", "NotFoundError", "failed"),
    ],
)
def test_only_a_task_that_a_person_named_may_be_another(
    decision: str | None, state: str, error: str, ended: str
) -> None:
    """That it is not there is no failure of the row; of any other row it is one."""
    found = Facts(Job(1, 2, "c.mp4", "x", "o.mp4", decision=decision, task_id="t"), task_id="t")
    found.end({"state": state, "stage": "task", "error": error})
    assert (found.state, found.stage) == (ended, "task")


def failed(stage: str, *, task_id: str | None = None, state: str = "failed") -> Facts:
    return row(state=state, stage=stage, task_id=task_id, asset_id="a", reply_ref="r")


def test_resume_takes_up_what_is_there() -> None:
    """Held rows, and tasks whose file is missing; never a finished, failed or uncertain row."""
    for known in (
        failed("create", state="held"),
        failed("wait", state="held", task_id="t"),
        failed("download", task_id="t"),
    ):
        (job,) = to_resume([known])
        assert (job.attempt, job.task_id) == (2, known.task_id)
    for known in (
        failed("create"),
        failed("task", task_id="t"),
        failed("", state="done"),
        failed("create", state="uncertain"),
    ):
        assert to_resume([known]) == []


def test_retry_begins_anew_only_where_it_must() -> None:
    """A lost file is fetched again, a failed task is created again, what moderation refused is left alone."""
    (again,) = to_retry([failed("task", task_id="t")])
    assert again.task_id is None
    (fetched,) = to_retry([failed("download", task_id="t")])
    assert fetched.task_id == "t"
    assert (
        to_retry(
            [failed("moderation"), failed("", state="done"), failed("", state="uncertain"), failed("", state="held")]
        )
        == []
    )


def test_a_person_decides_what_is_uncertain() -> None:
    """Adopt, send again or give up; other rows are not for deciding."""
    known = failed("create", state="uncertain")
    assert resolved(known, "adopt", "t9").task_id == "t9"
    assert resolved(known, "send again", None).task_id is None
    given_up = Facts.of(resolved(known, "give up", None))
    assert (given_up.state, given_up.is_over) == ("given up", True)
    with pytest.raises(ValueError, match="is not uncertain, it is done"):
        resolved(failed("", state="done"), "give up", None)


def test_a_mistyped_adoption_can_be_decided_again() -> None:
    """An adopted id that names nothing leaves the row uncertain, and no command pays for it unasked."""
    job = resolved(failed("create", state="uncertain"), "adopt", "t-wrong")
    found = Facts.of(job)
    found.end({"state": "failed", "stage": "task", "why": "404", "error": "NotFoundError"})
    assert (found.state, found.why) == ("uncertain", "there is no task t-wrong")
    assert to_retry([found]) == to_resume([found]) == []
    assert resolved(found, "adopt", "t-right").task_id == "t-right"


def test_a_task_that_is_there_is_fetched_whatever_broke() -> None:
    """A defect of the batch after the create leaves a row that resume takes up from its task."""
    found = row(task_id="t", paid=True)
    found.end({"state": "failed", "stage": "batch", "why": "x"})
    assert (found.state, found.stage) == ("failed", "wait")
    assert [job.task_id for job in to_resume([found])] == [job.task_id for job in to_retry([found])] == ["t"]


def test_the_last_attempt_counts_and_nothing_paid_is_forgotten() -> None:
    """A second attempt that only fetches knows the seed and the time of the first."""
    first = row(state="failed", stage="download", task_id="t", paid=True, seconds=3, seed=7)
    second = Facts(to_resume([first])[0], state="done", task_id="t")
    (found,) = latest([second, first])
    assert (found.state, found.seed, found.seconds, found.paid) == ("done", 7, 3, True)


def test_what_was_paid_for_another_task_is_not_paid_for_this_one() -> None:
    """A row whose task failed, and that was begun anew, has paid for it once that is made."""
    first = row(state="failed", stage="task", task_id="t", paid=True, seconds=3.0, seed=7)
    (again,) = to_retry([first])
    assert not latest([first, Facts.of(again)])[0].paid
    assert not latest([first, Facts(again, task_id="u")])[0].paid
    own = Facts(again, state="done", task_id="u", paid=True, seconds=4.0, seed=8)
    (found,) = latest([first, own])
    assert (found.paid, found.seconds, found.seed) == (True, 4.0, 8)
    unpaid = row(state="uncertain", task_id="t")
    assert not latest([unpaid, Facts(replace(unpaid.job, attempt=2), task_id="t")])[0].paid


@pytest.mark.parametrize(("seconds", "kind"), [(4, "uncertain"), (5, "absent"), (6, "absent")])
def test_the_whole_seconds_of_a_date_are_no_proof(seconds: int, kind: str) -> None:
    """A task from five seconds before the intent, by the service's clock, is from before it; a later one may not be."""
    created = f"2026-01-02T02:59:{60 - seconds:02d}Z"
    assert verdict([{**OLDER, "createdAt": created}]).kind == kind


def test_what_lies_below_the_root_lies_below_each_machines() -> None:
    """In it, and in folders of it; what lies elsewhere, or beside it under a like name, is where it is, and an asset is no path."""
    here, there = Path("/data/a").absolute(), Path("/mnt/b").absolute()
    beside = str(here.with_name("ab") / "i.png")
    job = Job(1, 2, str(here / "c.mp4"), "x", str(here / "out" / "ü 1.mp4"), image=beside)
    told = json.loads(job.write(here))
    assert (told["video"], told["output"]) == ("c.mp4", "out/ü 1.mp4")
    found = Job.read(job.write(here), there)
    assert (found.video, found.output, found.image) == (str(there / "c.mp4"), str(there / "out" / "ü 1.mp4"), beside)
    asset = "user:4242-runwayml:maker@example.com-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
    assert Job.read(replace(job, video=asset).write(here), there).video == asset


@pytest.mark.parametrize(
    ("task_id", "told"),
    [
        ("user:1-runwayml:a@b.c-task:free", ""),
        ("user:1-runwayml:a@b.c-task:mine", ""),
        ("user:1-runwayml:a@b.c-task:theirs", "it is the task of row 2"),
        ("not an id", "it is no id of a task"),
        ("task\n", "it is no id of a task"),
        ("task\x1b", "it is no id of a task"),
    ],
)
def test_no_row_is_given_the_task_of_another(task_id: str, told: str) -> None:
    """One file would be the result of both, and the task that was paid for the first would be forgotten."""
    mine, theirs = "user:1-runwayml:a@b.c-task:mine", "user:1-runwayml:a@b.c-task:theirs"
    rows = [
        Facts(Job(1, 2, "c.mp4", "x", "1.mp4"), state="uncertain", task_id=mine),
        Facts(Job(2, 3, "c.mp4", "y", "2.mp4"), state="done", task_id=theirs),
    ]
    assert unfit(task_id, 1, rows) == told
