"""What the commands of a batch refuse, tell and ask of a person, with a batch that only says what it is given."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml import ParameterError
from useapi_runwayml.batch import BatchError
from useapi_runwayml.batch.checks import Estimate
from useapi_runwayml.batch.clips import Remark
from useapi_runwayml.batch.comparing import Difference
from useapi_runwayml.batch.telling import BatchProgress, BatchRow
from useapi_runwayml.cli import batch_machines
from useapi_runwayml.cli.app import run as command
from useapi_runwayml.cli.batch_folder import Begun, Where
from useapi_runwayml.errors import Problem

VARIABLE = "USEAPI_RUNWAYML_DATABASE"
DATABASE = "postgresql://me:s3cr3t@h/d"
SAFE = "postgresql://me:***@h/d"
PRICE = "1 job, 5 seconds of video, about 25 credits"
RESUME = "Tasks that were started go on at the service. Resume with: useapi-runwayml batch resume jobs.csv"
Shell = Callable[..., tuple[int, str, str]]


def row(number: int = 1, **more: Any) -> BatchRow:
    """A row that is queued, unless it says otherwise."""
    blank: dict[str, Any] = dict.fromkeys(BatchRow.__annotations__, "")
    return BatchRow(**{**blank, "row": number, "line": number + 1, "attempt": 1, "state": "queued", **more})


class Plan(SimpleNamespace):
    """What a run would do: one row, which is paid."""

    def __init__(self, **more: Any) -> None:
        price = {"jobs": 1, "seconds": 5, "credits": 25, "added": 0}
        super().__init__(**{**price, "rows": [row(credits=25)], "problems": [], "warnings": [], "known": {}, **more})

    def __str__(self) -> str:
        return str(Estimate(self.jobs, self.seconds, self.credits or 0, 0, int(self.credits is None)))


class Made:
    """A batch; what is asked of it is kept."""

    place = "the journal"

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.has_begun = True
        self.found: list[Difference] = []
        self.planned: Any = Plan()
        self.known: list[BatchRow] = [row(state="done")]
        self.waiting: dict[str, str] = {}
        self.error: BaseException | None = None
        self.seen: list[BatchProgress] = []

    def __call__(self, jobs: Any, **how: Any) -> Made:
        self.asked.append(how)
        return self

    def is_begun(self) -> bool:
        return self.has_begun

    def changes(self) -> list[Difference]:
        return self.found

    def check(self) -> Any:
        return self.planned

    def plan(self, **how: Any) -> Any:
        self.asked.append(how)
        return self.planned

    def rows(self) -> list[BatchRow]:
        return self.known

    def waits(self) -> dict[str, str]:
        return self.waiting

    def report(self, page: Path) -> None:
        self.asked.append(page)

    def resolve(self, *decision: Any) -> None:
        self.asked.append(decision)
        if self.error is not None:
            raise self.error

    def put(self, plan: Any, *, max_credits: Any) -> int:
        self.asked.append(max_credits)
        return 3

    def run(self, plan: Any, *, max_credits: Any, on_progress: Any, callbacks: Any) -> list[BatchRow]:
        assert callbacks is None
        self.asked.append(max_credits)
        if self.error is not None:
            raise self.error
        for each in self.seen:
            on_progress(each)
        return self.known


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("useapi_runwayml.batch.Batch", made)
    return made


@pytest.fixture
def shell(capsys: Any) -> Shell:
    def call(*words: str) -> tuple[int, str, str]:
        code = command(["batch", *words])
        return code, *capsys.readouterr()

    return call


# -- what is refused ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["run", "resume", "retry-failed"])
def test_a_limit_is_none_or_more(batch: Made, shell: Shell, name: str) -> None:
    """Less than nothing is refused before anything else; nothing at all is a limit."""
    assert shell(name, "jobs.csv", "--yes", "--max-credits", "-1") == (
        *(2, ""),
        "useapi-runwayml: --max-credits must be at least 0\n",
    )
    assert batch.asked == []
    batch.has_begun = name != "run"
    assert shell(name, "jobs.csv", "--yes", "--max-credits", "0")[0] == 0
    assert batch.asked[-1] == 0


@pytest.mark.parametrize("name", ["run", "resume"])
def test_rows_that_the_service_has_are_taken_or_paid(batch: Made, shell: Shell, name: str) -> None:
    """One of both, and without a word neither: they are told, and nothing is run."""
    batch.has_begun, batch.planned = name != "run", Plan(known={1: "t"})
    assert shell(name, "jobs.csv", "--yes", "--adopt", "--anew") == (
        *(2, ""),
        "useapi-runwayml: give one of --adopt, --anew\n",
    )
    assert batch.asked == []
    code, out, told = shell(name, "jobs.csv", "--yes")
    assert (code, "1 of 1 row has a task at the service already" in out) == (2, True)
    assert "--adopt takes it, --anew pays for it again. Nothing was sent" in told
    for word in ("adopt", "anew"):
        assert shell(name, "jobs.csv", "--yes", f"--{word}")[0] == 0
        asked = batch.asked[-2]
        assert (asked["adopt"], asked["anew"]) == (word == "adopt", word == "anew")


def test_a_batch_begins_once(batch: Made, shell: Shell) -> None:
    """It is told how to go on, and what has changed; to look again at what it would cost is no run."""
    batch.found = [Difference("added", None, 3)]
    code, out, told = shell("run", "jobs.csv", "--yes")
    assert (code, out) == (2, "")
    assert told.splitlines()[1:] == [
        "  line 3: added",
        "New rows: useapi-runwayml batch resume jobs.csv --add",
        "useapi-runwayml: the journal has a batch already: go on with useapi-runwayml batch resume jobs.csv",
    ]
    assert len(batch.asked) == 1
    assert shell("run", "jobs.csv", "--dry-run") == (0, f"{PRICE}\nNothing was sent (--dry-run).\n", "")


@pytest.mark.parametrize("name", ["status", "report", "resume", "retry-failed", "resolve"])
def test_what_has_not_begun_is_told_how_to_begin(batch: Made, shell: Shell, name: str) -> None:
    """With its jobs file, where that is known."""
    batch.has_begun = False
    for words, more in (
        (["jobs.csv"], ": begin one with useapi-runwayml batch run jobs.csv"),
        (["--project", "p"], ""),
    ):
        assert shell(name, *words)[::2] == (2, f"useapi-runwayml: there is no batch in the journal{more}\n")


@pytest.mark.parametrize("name", ["run", "resume", "retry-failed"])
def test_problems_are_told_one_by_one(batch: Made, shell: Shell, name: str) -> None:
    """To machines as a list, with the code; nothing is run."""
    problems = [Problem("line 2: seed", None, "it is missing"), Problem("jobs", None, "something else")]
    batch.has_begun, batch.planned = name != "run", Plan(problems=problems)
    code, out, told = shell(name, "jobs.csv", "--yes")
    assert (code, out) == (3, "")
    told_of = [str(problems[0]), "something else"]
    assert told.splitlines() == [
        "useapi-runwayml: jobs.csv: 2 problems, nothing was sent",
        *(f"  {each}" for each in told_of),
    ]
    code, out, told = shell(name, "jobs.csv", "--yes", "--json")
    assert (code, told) == (3, "")
    assert json.loads(out) == {
        "error": "ParameterError",
        "message": "jobs.csv: 2 problems, nothing was sent",
        "exit_code": 3,
        "next": [],
        "problems": told_of,
    }
    assert not isinstance(batch.asked[-1], int)


def test_a_limit_cannot_hold_where_a_price_is_not_known(batch: Made, shell: Shell) -> None:
    """Each row without one is told; without a limit none is needed."""
    batch.has_begun = False
    batch.planned = Plan(rows=[row(1, credits=25), row(2, credits=None, endpoint="odd")], credits=None)
    code, _, told = shell("run", "jobs.csv", "--yes", "--max-credits", "30")
    assert (code, told.splitlines()[1:]) == (
        3,
        ["  line 3: --max-credits cannot hold: the price of odd is not known; say --credits-per-job"],
    )
    assert shell("run", "jobs.csv", "--yes")[0] == 0


# -- what is told ------------------------------------------------------------------------------------------------------
CHANGED, ADDED, GONE = Difference("changed", 1, 2, "prompt"), Difference("added", None, 3), Difference("gone", 4, None)
BROKEN = Difference("broken", None, None, "it cannot be compared")
HEADING = "jobs.csv is not as it was when its batch began:"
NEW_ROWS = "New rows: useapi-runwayml batch resume jobs.csv --add"
AS_BEFORE = "; the batch goes on with it as it was"
JOINS = "; it joins as a new row"


@pytest.mark.parametrize(
    ("found", "add", "told"),
    [
        ([], False, []),
        ([], True, []),
        ([CHANGED], False, [HEADING, f"  {CHANGED}{AS_BEFORE}", NEW_ROWS]),
        ([CHANGED], True, [HEADING, f"  {CHANGED}{JOINS}"]),
        ([ADDED], False, [HEADING, f"  {ADDED}", NEW_ROWS]),
        ([ADDED], True, [HEADING, f"  {ADDED}{JOINS}"]),
        ([GONE], False, [HEADING, f"  {GONE}{AS_BEFORE}"]),
        ([GONE], True, [HEADING, f"  {GONE}{AS_BEFORE}"]),
        ([BROKEN], False, [HEADING, "  it cannot be compared"]),
        ([GONE] * 10, False, [HEADING, *[f"  {GONE}{AS_BEFORE}"] * 10]),
        ([GONE] * 13, False, [HEADING, *[f"  {GONE}{AS_BEFORE}"] * 10, "  and 3 more"]),
    ],
)
def test_what_changed_in_the_jobs_is_told(
    batch: Made, shell: Shell, found: list[Difference], add: bool, told: list[str]
) -> None:
    """Row by row, ten at most, with what the batch makes of it; by each command that goes on, and by those that only look."""
    batch.found = found
    assert shell("resume", "jobs.csv", "--yes", *(["--add"] if add else []))[2].splitlines() == told
    if not add:
        for name in ("status", "report"):
            assert shell(name, "jobs.csv")[2].splitlines() == told


def test_what_is_waited_for_is_told_beside_the_rows(batch: Made, shell: Shell) -> None:
    """A person sees why nothing goes on; the table is as ever, and a page of it is told by its name."""
    batch.waiting = {"account a": "no credits", "the service": "no answer"}
    told = "account a: no credits\nthe service: no answer\n"
    code, out, aside = shell("status", "jobs.csv")
    assert (code, out.splitlines()[0].split(), aside) == (0, ["row", "line", "state", "task", "why"], told)
    code, out, aside = shell("report", "jobs.csv")
    assert (code, out.splitlines()[0].split()) == (0, ["row", "state", "prompt", "seed", "seconds", "output", "why"])
    assert (aside, out.splitlines()[-1]) == (told, "1 row: 1 done")
    assert shell("report", "jobs.csv", "--html", "r.html")[:2] == (0, "Report: r.html\n")
    assert batch.asked[-1] == Path("r.html")
    assert json.loads(shell("report", "jobs.csv", "--html", "r.html", "--json")[1]) == {"report": "r.html"}


def test_what_may_be_a_mistake_is_told_before_the_price(batch: Made, shell: Shell) -> None:
    """By each command that reads rows of a file; machines get it with the plan."""
    batch.planned = Plan(warnings=[Remark(2, "c.mp4", "it is long")])
    told = f"line  video  warning\n2     c.mp4  it is long\n{PRICE}\n"
    for words in (["resume", "jobs.csv"], ["run", "jobs.csv", "--dry-run"]):
        assert shell(*words)[1].startswith(told)
    assert json.loads(shell("run", "jobs.csv", "--dry-run", "--json")[1]) == {
        "jobs": 1,
        "seconds": 5,
        "credits": 25,
        "warnings": [{"line": 2, "video": "c.mp4", "warning": "it is long"}],
    }


def test_failed_rows_are_planned_by_the_command_that_tries_them_again(batch: Made, shell: Shell) -> None:
    """Without rows that are new in the file."""
    assert shell("retry-failed", "jobs.csv", "--yes")[0] == 0
    assert batch.asked[1] == {"retry_failed": True, "add": False}
    assert shell("resume", "jobs.csv", "--yes")[0] == 0
    assert batch.asked[-2] == {"add": False, "adopt": False, "anew": False}


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ParameterError([Problem("max_credits", 1, "too few")]), 3, []),
        (BatchError("it broke", maybe_sent=False), 1, []),
        (BatchError("it broke", maybe_sent=True), 1, [RESUME]),
        (OSError(28, "full"), 1, [RESUME]),
        (KeyboardInterrupt(), 130, [RESUME]),
    ],
)
def test_who_is_interrupted_is_told_how_to_go_on(
    batch: Made, shell: Shell, error: BaseException, code: int, told: list[str]
) -> None:
    """Not where nothing has begun, since what is wrong would come again."""
    batch.error = error
    found, _, said = shell("resume", "jobs.csv", "--yes")
    assert (found, said.splitlines()[1:]) == (code, told)


@pytest.mark.parametrize("name", ["run", "resume"])
def test_machines_are_told_how_a_batch_ended(batch: Made, shell: Shell, name: str) -> None:
    """Its rows, and what to do next."""
    batch.has_begun, batch.known = name != "run", [row(state="failed")]
    code, out, _ = shell(name, "jobs.csv", "--yes", "--json")
    assert (code, json.loads(out)) == (
        1,
        {
            "rows": [batch.known[0].to_dict()],
            "next": ["failed: useapi-runwayml batch retry-failed jobs.csv"],
        },
    )


def test_a_batch_begins_with_what_is_documented(batch: Made, shell: Shell) -> None:
    """Five tasks at once, a minute to settle, and no upload is deleted, unless it is said; rows are told as they end."""
    batch.has_begun = False
    batch.seen = [BatchProgress(1, 2, "done", "", 1, 1)]
    assert shell("run", "jobs.csv", "--yes")[:2] == (
        0,
        f"{PRICE}\nrow 1 (line 2): done\n1 row: 1 done\n",
    )
    begun, planned, limit = batch.asked
    assert {name: value for name, value in begun.items() if value is not None} == {
        "defaults": {},
        "endpoint": "video_to_video",
        "max_jobs": 5,
        "settle": 60,
        "delete_assets": False,
    }
    assert (planned, limit) == ({"adopt": False, "anew": False}, None)


@pytest.mark.parametrize("name", ["run", "resume", "retry-failed"])
def test_nothing_is_spent_without_a_word(batch: Made, shell: Shell, name: str) -> None:
    """The price is told, and nothing is run."""
    batch.has_begun = name != "run"
    refused = "useapi-runwayml: nothing was sent: say --yes to spend these credits\n"
    assert shell(name, "jobs.csv") == (2, f"{PRICE}\n", refused)
    assert isinstance(batch.asked[-1], dict)


# -- what is asked -----------------------------------------------------------------------------------------------------
class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


QUESTION = "Spend about 25 credits? [y/N] "
IN_OUT, IN_ASIDE, ALL = {"stdin", "stdout"}, {"stdin", "stderr"}, {"stdin", "stdout", "stderr"}


@pytest.mark.parametrize(
    ("terminals", "words", "answer", "code", "out", "aside"),
    [
        (ALL, [], "y\n", 0, [PRICE], [QUESTION]),
        (ALL, [], " YES \n", 0, [PRICE], [QUESTION]),
        (ALL, [], "\n", 2, [PRICE], [QUESTION]),
        (ALL, [], "no\n", 2, [PRICE], [QUESTION]),
        (ALL, [], "", 2, [PRICE], [QUESTION]),
        (ALL, ["--yes"], "", 0, [PRICE], []),
        (IN_ASIDE, [], "y\n", 0, [PRICE], [PRICE, QUESTION]),
        (IN_OUT, [], "y\n", 0, [PRICE, QUESTION], []),
        ({"stdin"}, [], "y\n", 2, [PRICE], []),
        ({"stdout", "stderr"}, [], "y\n", 2, [PRICE], []),
        (ALL, ["--json"], "y\n", 2, [], [PRICE]),
    ],
)
def test_who_can_be_asked_is_asked_where_he_looks(
    batch: Made,
    monkeypatch: pytest.MonkeyPatch,
    terminals: set[str],
    words: list[str],
    answer: str,
    code: int,
    out: list[str],
    aside: list[str],
) -> None:
    """A person at a terminal, after the price; where nobody is, or machines read, nothing is spent without --yes."""
    streams = {name: (Screen if name in terminals else io.StringIO)() for name in ("stdin", "stdout", "stderr")}
    streams["stdin"].write(answer)
    streams["stdin"].seek(0)
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    assert command(["batch", "resume", "jobs.csv", *words]) == code
    for name, told in (("stdout", out), ("stderr", aside)):
        said = streams[name].getvalue()
        assert [each for each in (PRICE, QUESTION) if each in said] == told
        assert said.count(PRICE) == told.count(PRICE)
    assert isinstance(batch.asked[-1], dict) == bool(code), "nothing was run"


def test_a_price_that_is_not_known_is_asked_for_as_such(batch: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody agrees to about none; and what costs nothing is not asked for."""
    for plan, told in ((Plan(credits=None), "Spend credits, how many is not known? [y/N] "), (Plan(jobs=0), "")):
        batch.planned = plan
        screen = Screen()
        monkeypatch.setattr(sys, "stdin", Screen("y\n"))
        monkeypatch.setattr(sys, "stderr", screen)
        assert command(["batch", "resume", "jobs.csv"]) == 0
        assert ("Spend" in screen.getvalue(), told in screen.getvalue()) == (bool(told), True)


# -- which batch is meant ----------------------------------------------------------------------------------------------
JOBS, P, DB = Path("jobs.csv"), Path("p"), f"--database '{SAFE}'"


@pytest.mark.parametrize(
    ("jobs", "where", "environment", "words", "known_as"),
    [
        (JOBS, {}, "", "jobs.csv", "jobs.csv"),
        (JOBS, {"project": P}, "", "jobs.csv --project p", "jobs.csv"),
        (None, {"project": P}, "", "--project p", "p"),
        (JOBS, {"root": P}, "", "jobs.csv --root p", "jobs.csv"),
        (JOBS, {"database": DATABASE}, "", f"jobs.csv {DB}", "jobs.csv"),
        (JOBS, {"database": DATABASE, "name": "n"}, "", f"jobs.csv {DB} --name n", "jobs.csv"),
        (None, {"database": DATABASE, "name": "n"}, "", f"{DB} --name n", "n"),
        (JOBS, {"database": DATABASE}, DATABASE, "jobs.csv", "jobs.csv"),
        (None, {"database": DATABASE, "name": "n"}, DATABASE, "--name n", "n"),
        (JOBS, {"database": DATABASE}, "postgresql://other/d", f"jobs.csv {DB}", "jobs.csv"),
        (JOBS, {"database": DATABASE, "project": P}, DATABASE, "jobs.csv --project p", "jobs.csv"),
    ],
)
def test_a_command_that_is_told_means_the_same_batch(
    monkeypatch: pytest.MonkeyPatch,
    jobs: Path | None,
    where: dict[str, Any],
    environment: str,
    words: str,
    known_as: str,
) -> None:
    """It has what was typed, not what the environment says, and no password."""
    monkeypatch.setenv(VARIABLE, environment)
    begun = Begun(jobs, Where(**where))
    assert begun.again("resume") == f"useapi-runwayml batch resume {words}"
    assert str(begun) == known_as
    assert "s3cr3t" not in repr(begun)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", "--database", DATABASE], "which batch? Give its --name, or its jobs file"),
        (["status"], "which batch? Give its jobs file"),
        (["status", "--database", DATABASE, "--project", "p"], "a batch is kept in a --project or in a --database"),
        (["status", "jobs.csv", "--name", "n"], "--name needs a --database, where it names the batch"),
        (["worker"], "which database? Give its --database, or USEAPI_RUNWAYML_DATABASE"),
        (["worker", "--database", "mysql://me:s3cr3t@h/d"], "--database: mysql cannot be used for several machines"),
        (["run", "jobs.csv", "--no-work"], "--no-work needs a --database, from which workers take the rows"),
    ],
)
def test_what_names_no_batch_is_refused(batch: Made, shell: Shell, words: list[str], told: str) -> None:
    """In a line, by its option, and without a password."""
    code, out, said = shell(*words, "--yes") if words[0] == "run" else shell(*words)
    assert (code, out, told in said) == (2, "", True), said
    assert "s3cr3t" not in said
    assert batch.asked == []


# -- for several machines ----------------------------------------------------------------------------------------------
def test_a_batch_is_put_where_workers_find_it(batch: Made, shell: Shell) -> None:
    """It tells how many rows, and what to type on each machine; nothing runs here."""
    batch.has_begun = False
    words = ["run", "jobs.csv", "--no-work", "--yes", "--max-credits", "30", "--database", DATABASE]
    worker = f"useapi-runwayml batch worker {DB} --root FOLDER"
    assert shell(*words)[:2] == (0, f"{PRICE}\njobs: 3 rows in the database. On each machine: {worker}\n")
    assert batch.asked[-1] == 30
    assert json.loads(shell(*words, "--json")[1]) == {"batch": "jobs", "rows": 3, "next": [worker]}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A database that is there, with a batch of nine rows, and a worker `w` in doubt."""
    known = SimpleNamespace(
        has_tables=lambda: True,
        options=lambda: {"x": 1},
        count=lambda: 9,
        close=lambda: None,
        root=tmp_path,
        transactions=SimpleNamespace(now=lambda ask: ask(None)),
    )
    monkeypatch.setattr("useapi_runwayml.batch.places.Database.is_there", lambda self: True)
    monkeypatch.setattr("useapi_runwayml.batch.journal.Journal", lambda place, root: known)
    monkeypatch.setattr("useapi_runwayml.batch.presence.give_up", lambda connection, worker: worker == "w")
    return known


WORKER = ("worker", "--database", DATABASE)


def test_a_worker_tells_its_rows_among_all(
    database: SimpleNamespace, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks on may end it: that is the end of the command."""
    seen: list[Any] = []
    ends: list[bool] = []

    def work(journal: Any, *, until_done: bool, on_event: Any, callbacks: Any, go_on: Any) -> None:
        assert (journal, callbacks) == (database, None)
        ends.append(until_done)
        on_event(SimpleNamespace(row=1, line=2), "done", "")
        go_on()

    def interrupted(now: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("useapi_runwayml.batch.runner.work", work)
    for heard, code in ((seen.append, 0), (interrupted, 130)):
        monkeypatch.setattr(batch_machines, "watching", lambda: contextlib.nullcontext(heard))  # noqa: B023
        assert shell(*WORKER, *(["--until-done"] if code else []))[0] == code
    assert ends == [False, True]
    assert [(now.row, now.rows_over, now.rows) for now in seen] == [(1, 1, 9)]


def test_a_worker_in_doubt_is_said_to_be_gone(database: SimpleNamespace, shell: Shell) -> None:
    """By its name, or it is told that there is none; to say it is no work."""
    assert shell(*WORKER, "--gone", "w") == (0, "worker w is gone: the others take its rows over\n", "")
    assert json.loads(shell(*WORKER, "--gone", "w", "--json")[1]) == {"gone": "w"}
    assert shell(*WORKER, "--gone", "v") == (2, "", "useapi-runwayml: --gone: no worker 'v' is in doubt\n")


def test_what_a_worker_needs_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its database is reached."""
    for missing in ("dbos", "filelock"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            told = f"useapi-runwayml: this needs more ({missing} is missing): pip install 'useapi-runwayml[postgres]'\n"
            assert shell(*WORKER) == (1, "", told)


# -- uncertain rows ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "decision", "after"),
    [
        (["jobs.csv", "2", "--adopt", "t"], (2, "adopt", "t"), "jobs.csv"),
        (["jobs.csv", "2", "--send-again", "--yes"], (2, "send again", None), "jobs.csv"),
        (["jobs.csv", "2", "--give-up"], (2, "give up", None), "jobs.csv"),
        (["2", "--give-up", "--project", "p"], (2, "give up", None), "--project p"),
        (["2", "--give-up", "--name", "n", "--database", DATABASE], (2, "give up", None), f"{DB} --name n"),
        (["jobs.csv", "2", "--give-up", "--project", "p"], (2, "give up", None), "jobs.csv --project p"),
    ],
)
def test_a_decision_goes_to_its_row(
    batch: Made, shell: Shell, words: list[str], decision: tuple[Any, ...], after: str
) -> None:
    """Whichever way the batch is named; the answer tells how to go on, with the same batch."""
    batch.known = [row(1), row(2, state="uncertain", video_seconds=5, credits=25)]
    price = f"{PRICE}\n" if "--yes" in words else ""
    after = f"useapi-runwayml batch resume {after}"
    assert shell("resolve", *words) == (0, f"{price}row 2: {decision[1]}. Go on with: {after}\n", "")
    assert batch.asked[-1] == decision
    told = json.loads(shell("resolve", *words, "--json")[1])
    assert told == {"row": 2, "decision": decision[1], "next": [after]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which batch? Give its jobs file, its --project, or its --name in a --database"),
        (["--name", "n"], "which batch? Give its jobs file, its --project, or its --name in a --database"),
        (["jobs.csv", "--give-up"], "which row? Give its number after jobs.csv"),
        (["--project", "p", "--give-up"], "which row? Give its number after p"),
        (["jobs.csv", "2"], "give one of --adopt TASK_ID, --send-again, --give-up"),
        (["jobs.csv", "2", "--adopt", "t", "--give-up"], "give one of --adopt TASK_ID, --send-again, --give-up"),
        (["jobs.csv", "two"], "two: give the jobs file and, to decide, the number of one row"),
        (["jobs.csv", "2", "3"], "3: give the jobs file and, to decide, the number of one row"),
        (["jobs.csv", "2", "3", "4"], "4: give the jobs file and, to decide, the number of one row"),
        (["1", "2", "--project", "p"], "2: give the jobs file and, to decide, the number of one row"),
    ],
)
def test_what_decides_nothing_is_refused(batch: Made, shell: Shell, words: list[str], told: str) -> None:
    """In a line that names what is missing, or is too much."""
    assert shell("resolve", *words) == (2, "", f"useapi-runwayml: {told}\n")
    assert [each for each in batch.asked if isinstance(each, tuple)] == []


def test_what_is_sent_again_is_agreed_to(batch: Made, shell: Shell) -> None:
    """Where its row is uncertain, since that is paid; what the batch refuses is told in its words."""
    again = ("resolve", "jobs.csv", "2", "--send-again")
    batch.known = [row(1, state="uncertain"), row(2, state="uncertain", video_seconds=5, credits=25)]
    refused = (2, f"{PRICE}\n", "useapi-runwayml: nothing was sent: say --yes to spend these credits\n")
    assert shell(*again) == refused
    assert shell(*again[:-1], "--give-up")[0] == 0
    batch.known = [row(1, state="uncertain"), row(2, state="done")]
    batch.error = ParameterError([Problem("row", 2, "row 2 is not uncertain, it is done")])
    for words in (again, (*again[:2], "9", "--send-again")):
        assert shell(*words) == (2, "", "useapi-runwayml: row 2 is not uncertain, it is done\n")


def test_uncertain_rows_are_listed(batch: Made, shell: Shell) -> None:
    """Those alone."""
    batch.known = [row(1, state="done"), row(2, state="uncertain", reply_ref="r", why="no answer")]
    code, out, _ = shell("resolve", "jobs.csv")
    assert (code, [line.split() for line in out.splitlines()]) == (
        0,
        [["row", "line", "replyRef", "why"], ["2", "3", "r", "no", "answer"]],
    )
    assert json.loads(shell("resolve", "jobs.csv", "--json")[1]) == [batch.known[1].to_dict()]
