"""What the command line tells of a run: a bar, lines, JSON and the way to go on, all from one stream."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml import Progress, errors
from useapi_runwayml.cli import output, telling
from useapi_runwayml.cli.bars import Bar
from useapi_runwayml.simulator import ManualClock

from .conftest import MP4

TASK = "user:4242-runwayml:maker@example.com-task:01234567-89ab-cdef-0123-456789abcdef"
ASSET = TASK.replace("task", "asset")
MB = 1_000_000
STREAM = [
    Progress("", None, None, None, 0.0, "inspect"),
    Progress("", None, None, None, 0.0, "upload", 0, 200 * MB),
    Progress("", None, None, None, 4.0, "upload", 50 * MB, 200 * MB, 12.0),
    Progress("", None, None, None, 16.0, "upload", 200 * MB, 200 * MB, 0.0, ASSET),
    Progress("", None, None, None, 0.0, "create"),
    Progress(TASK, None, None, None, 0.0, "created"),
    Progress(TASK, "PENDING", None, 30.0, 1.0),
    Progress(TASK, "THROTTLED", None, None, 2.0),
    Progress(TASK, "RUNNING", 0.25, None, 40.0, seconds_left=120.0),
    Progress(TASK, "RUNNING", 0.5, None, 80.0, seconds_left=80.0),
]
GOOD = [
    *STREAM,
    Progress(TASK, "SUCCEEDED", 1.0, None, 160.0),
    Progress(TASK, "SUCCEEDED", 1.0, None, 0.0, "download", 0),
    Progress(TASK, "SUCCEEDED", 1.0, None, 2.0, "download", 5 * MB, 10 * MB, 2.0),
    Progress(TASK, "SUCCEEDED", 1.0, None, 190.0, "done"),
]
BAD = [
    *STREAM,
    Progress(TASK, "FAILED", 1.0, None, 160.0, seconds_left=0.0),
    Progress(TASK, "FAILED", 1.0, None, 170.0, "failed"),
]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves JSON behind."""
    monkeypatch.setitem(output._state, "json", False)


def tell(stream: Sequence[Progress], *, receipt: bool = False) -> telling.Story:
    with telling.telling(receipt=receipt) as story:
        for each in stream:
            story(each)
    return story


def test_without_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, once each; the receipt alone is on standard output."""
    tell(GOOD, receipt=True)
    out, told = capsys.readouterr()
    assert out == f"Task: {TASK}\n"
    assert told.splitlines() == [
        "Uploading 200.0 MB",
        f"Uploaded: {ASSET}",
        "Creating the task",
        f"Created: {TASK}",
        "PENDING starts in 30 s",
        "THROTTLED",
        "RUNNING 25%, 2 min left",
        "SUCCEEDED",
        "Downloading",
        "Done in 3 min",
    ]


def test_what_failed_is_done_to_no_share(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever ratio the service tells of it; the error itself has the last line."""
    tell(BAD)
    assert capsys.readouterr().err.splitlines()[-1] == "FAILED"


def test_machines_get_the_same_as_data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of JSON on standard error at the same moments, and nothing on standard output."""
    monkeypatch.setitem(output._state, "json", True)
    tell(GOOD, receipt=True)
    out, told = capsys.readouterr()
    assert out == ""
    found = [json.loads(line) for line in told.splitlines()]
    assert [each.get("status") if each["stage"] == "waiting" else each["stage"] for each in found] == [
        *("inspect", "upload", "upload", "create", "created", "PENDING", "THROTTLED", "RUNNING", "SUCCEEDED"),
        *("download", "done"),
    ]
    assert found[1] == {"stage": "upload", "elapsed_seconds": 0.0, "bytes_done": 0, "bytes_total": 200 * MB}


TOLD: list[tuple[Progress, str, float | None, str]] = [
    (STREAM[0], "looking", None, ""),
    (STREAM[1], "uploading", 0.0, "0%, 0 bytes of 200.0 MB"),
    (STREAM[2], "uploading", 0.25, "25%, 50.0 MB of 200.0 MB, 12.5 MB/s, 12 s left"),
    (STREAM[2]._replace(bytes_total=None, seconds_left=None), "uploading", None, "50.0 MB, 12.5 MB/s"),
    (STREAM[4], "creating", None, ""),
    (STREAM[5], "created", None, ""),
    (STREAM[6], "PENDING", None, "starts in 30 s"),
    (STREAM[6]._replace(ratio=0.0, seconds_left=None, eta_seconds=None), "PENDING", None, ""),
    (STREAM[7], "THROTTLED", None, ""),
    (STREAM[8], "RUNNING", 0.25, "25%, 2 min left"),
    (Progress(TASK, None, 0.5, None, 1.0), "waiting", None, ""),
    (STREAM[1]._replace(bytes_done=None, bytes_total=None), "uploading", None, ""),
    (STREAM[1]._replace(elapsed_seconds=0.5), "uploading", 0.0, "0%, 0 bytes of 200.0 MB"),
    (STREAM[2]._replace(elapsed_seconds=0.0), "uploading", 0.25, "25%, 50.0 MB of 200.0 MB, 12 s left"),
    (STREAM[2]._replace(elapsed_seconds=0.5), "uploading", 0.25, "25%, 50.0 MB of 200.0 MB, 100.0 MB/s, 12 s left"),
    (GOOD[-2], "downloading", 0.5, "50%, 5.0 MB of 10.0 MB, 2.5 MB/s, 2 s left"),
    (GOOD[-3], "downloading", None, "0 bytes"),
    (GOOD[-1], "done", 1.0, "100%, in 3 min"),
    (BAD[-2], "FAILED", None, ""),
    (BAD[-2]._replace(status="CANCELLED"), "CANCELLED", None, ""),
    (BAD[-1], "failed", None, ""),
]


@pytest.mark.parametrize(("progress", "name", "share", "details"), TOLD)
def test_the_bar_tells_the_truth(progress: Progress, name: str, share: float | None, details: str) -> None:
    """A transfer has its bytes, pace and time left; a task that waits, goes on without telling, or failed, has no share."""
    assert (telling.name_of(progress), telling.share_of(progress), telling.details_of(progress)) == (
        name,
        share,
        details,
    )
    assert len(f"{name:<11} {'x' * 20} {details}") <= 80


@pytest.mark.parametrize(
    ("stages", "seen"),
    [
        ([], ""),
        ([STREAM[0]], "looking     ━━━━━━━━━━━━━━━━━━━━"),
        ([STREAM[1]], "uploading                        0%, 0 bytes of 200.0 MB"),
        ([STREAM[2]], "uploading   ━━━━━                25%, 50.0 MB of 200.0 MB, 12.5 MB/s, 12 s left"),
        ([STREAM[2], STREAM[4]], "creating    ━━━━━━━━━━━━━━━━━━━━"),
        ([STREAM[2], STREAM[4], STREAM[9]], "RUNNING     ━━━━━━━━━━           50%, 80 s left"),
        ([GOOD[-1]], "done        ━━━━━━━━━━━━━━━━━━━━ 100%, in 3 min"),
        ([BAD[-1]], ""),
        ([STREAM[9]._replace(status="[b]odd[/b]", seconds_left=None)], "[b]odd[/b]  ━━━━━━━━━━           50%"),
    ],
)
def test_the_bar_shows_what_was_told_last(capsys: Any, stages: list[Progress], seen: str) -> None:
    """What is known to a share has that share, what is not moves to and fro, also after another stage; what failed has no bar."""
    with Bar() as bar:
        for each in stages:
            bar.show(each, telling.name_of(each), telling.share_of(each), telling.details_of(each))
    assert capsys.readouterr().err.strip() == seen


def test_details_are_shown_as_they_are(capsys: Any) -> None:
    """What looks like a mark of colours is none, in the name and beside the bar."""
    with Bar() as bar:
        bar.show(GOOD[-1], "[b]a[/b]", 1.0, "[i]b[/i]")
    told = capsys.readouterr().err.split()
    assert (told[0], told[-1]) == ("[b]a[/b]", "[i]b[/i]")


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


LONG = f"Task: {TASK} [b]x[/b]"


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_receipt_is_given_whole_beside_a_bar(monkeypatch: pytest.MonkeyPatch, is_seen: bool) -> None:
    """Above the bar where standard output is the terminal as well; where it is a file, into that alone."""
    monkeypatch.setenv("TERM", "xterm")
    screen, out = Screen(), Screen() if is_seen else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", out)
    with Bar() as bar:
        bar.give(LONG)
    assert (f"{LONG}\n" in screen.getvalue(), out.getvalue()) == ((True, "") if is_seen else (False, f"{LONG}\n"))


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_500_000, "2.5 MB"),
        (3e9, "3.0 GB"),
        (1e9, "1.0 GB"),
        (999_999_999, "1000.0 MB"),
        (1e6, "1.0 MB"),
        (999_999, "1000.0 kB"),
    ],
)
def test_sizes_are_read_by_people(amount: float, told: str) -> None:
    """With the unit that suits them."""
    assert telling.size_of(amount) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (120, "2 min"),
        (5940, "99 min"),
        (5999, "100 min"),
        (6000, "1.7 h"),
        (7200, "2.0 h"),
        (3_600_000, "1000.0 h"),
    ],
)
def test_times_are_read_by_people(seconds: float, told: str) -> None:
    """With the unit that suits them."""
    assert telling.time_of(seconds) == told


def test_what_an_interruption_came_before_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C as the receipt is given: it is on standard output all the same, once; what was told is not told again."""
    lines = list[str]()

    def say(line: str) -> None:
        if line.startswith("Created") and not lines.count("interrupted"):
            lines.append("interrupted")
            raise KeyboardInterrupt
        lines.append(line)

    def end(stream: Sequence[Progress]) -> None:
        with telling.resuming(story, "mine", lambda _: ""):
            for each in stream:
                story(each)
            raise KeyboardInterrupt

    with telling.telling(say=say, receipt=True) as story:
        with pytest.raises(KeyboardInterrupt):
            end(GOOD[:6])
        assert lines[-3:] == ["Creating the task", "interrupted", f"Created: {TASK}"]
        with pytest.raises(KeyboardInterrupt):
            end([Progress(TASK, None, None, None, 1.0, "failed")])
    assert lines[-1] == f"Created: {TASK}"
    assert lines.count(lines[-1]) == 1
    assert capsys.readouterr().out == f"Task: {TASK}\n"


NOTHING = "Nothing was created, and nothing paid for: run it again"
FIND = "If the task was created, this finds it: useapi-runwayml tasks find mine"


@pytest.mark.parametrize(
    ("heard", "error", "told"),
    [
        (0, KeyboardInterrupt(), NOTHING),
        (1, KeyboardInterrupt(), NOTHING),
        (3, KeyboardInterrupt(), NOTHING),
        (5, KeyboardInterrupt(), FIND),
        (6, KeyboardInterrupt(), f"again {TASK}"),
        (9, errors.WaitTimeoutError("x", task_ids=[TASK]), f"again {TASK}"),
        (12, errors.DownloadError("x"), f"again {TASK}"),
        (12, OSError(28, "full"), f"again {TASK}"),
        (3, errors.APIConnectionError("x", maybe_sent=False), ""),
        (5, errors.SubmissionUnknownError("x", reply_ref="mine"), "Find it with: useapi-runwayml tasks find mine"),
        (11, errors.TaskFailedError("x", task_id=TASK, task=None, reason=None, category=None), ""),
        (11, errors.TaskCancelledError("x", task_id=TASK), ""),
        (12, errors.TaskOutputMissingError("x", task_id=TASK), ""),
    ],
)
def test_how_to_go_on_is_what_was_told(heard: int, error: BaseException, told: str) -> None:
    """Before the create nothing is to be found; once the task is known it is named; what ended for nothing goes on nowhere."""
    story = tell(GOOD[:heard])
    story(Progress(story.last.task_id, None, None, None, 1.0, "failed"))
    with pytest.raises(type(error)), telling.resuming(story, "mine", lambda task_id: f"again {task_id}"):
        raise error
    assert getattr(error, "hints", []) == ([told] if told else [])
    assert getattr(error, "stage") == story.last.stage != "failed"  # noqa: B009  # it is no field of theirs
    if isinstance(error, KeyboardInterrupt):
        known = {name: value for name, value in error.__dict__.items() if name in ("task_id", "reply_ref")}
        assert known == ({} if told == NOTHING else {"task_id": story.last.task_id, "reply_ref": "mine"})


@pytest.mark.parametrize(
    ("done", "total", "asset", "told"),
    [
        (None, None, "", "Uploading"),
        (0, None, "", "Uploading"),
        (5, None, "", "Uploading 5 bytes"),
        (5, 7000, "", "Uploading 7.0 kB"),
        (7000, 7000, ASSET, f"Uploaded: {ASSET}"),
    ],
)
def test_an_upload_is_told_with_its_size(done: int | None, total: int | None, asset: str, told: str) -> None:
    """As far as it is known."""
    assert telling.line_of(Progress("", None, None, None, 0.0, "upload", done, total, asset_id=asset)) == told


class Listening:
    """Is told of what goes on, and draws nothing."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.told.append("the end")

    def show(self, *given: object) -> None:
        self.told.append(given[1:])

    def say(self, line: str) -> None:
        self.told.append(line)

    give = say


@pytest.mark.parametrize(("is_terminal", "json_wanted"), [(True, False), (True, True), (False, False)])
def test_a_terminal_has_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool, json_wanted: bool
) -> None:
    """To which all is told, lines too; where nobody sees one, or machines read, there is none."""
    bar = Listening()
    monkeypatch.setattr("useapi_runwayml.cli.bars.Bar", lambda: bar)
    monkeypatch.setattr(output, "is_terminal", lambda: is_terminal)
    output.use_json(json_wanted)
    with telling.telling(receipt=True) as story:
        story(STREAM[5])
        story.remark("by the way")
        story(STREAM[8])
    out, aside = capsys.readouterr()
    drawn = [("created", None, ""), f"Task: {TASK}", "by the way", ("RUNNING", 0.25, "25%, 2 min left"), "the end"]
    assert bar.told == (drawn if is_terminal and not json_wanted else [])
    assert bool(out + aside) == (not bar.told)


def test_a_receipt_is_given_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere standard output has what the command gives, and no more."""
    for wanted, out in (({}, ""), ({"receipt": True}, f"Task: {TASK}\n")):
        with telling.telling(**wanted) as story:
            story(STREAM[5])
        assert capsys.readouterr().out == out


def test_bytes_are_told_with_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since the transfer began, whenever that was."""
    clock = ManualClock()
    clock.advance(1000)
    monkeypatch.setattr(telling, "SystemClock", lambda: clock)
    heard = list[Progress]()

    class Hearing(telling.Story):
        def __call__(self, progress: Progress) -> None:
            heard.append(progress)

    moved = Hearing(None, print, receipt=False).bytes_of("download", TASK)
    clock.advance(4)
    moved(1, 3)
    moved(3, 3)
    moved(5, None)
    assert [(each.task_id, each.elapsed_seconds, each.bytes_done, each.bytes_total) for each in heard] == [
        (TASK, 4.0, 1, 3),
        (TASK, 4.0, 3, 3),
        (TASK, 4.0, 5, None),
    ]
    assert [each.seconds_left for each in heard] == [8.0, 0.0, None]


# -- tables -------------------------------------------------------------------------------------------------------------
COLUMNS = ("task", "status", "done", "created", "replyRef")
ROWS = [
    (TASK, "SUCCEEDED", "100%", "2026-01-02 03:04 UTC", "useapi-runwayml-0123456789abcdef0123456789abcdef"),
    (TASK[:-1] + "0", "RUNNING", "5%", "2026-01-02 03:04 UTC", None),
]


def shown(
    width: int | None, columns: Sequence[str], rows: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> list[str]:
    """A table in a pipe, or on a terminal of this width."""
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.table(columns, rows)
    found: list[str] = capsys.readouterr().out.splitlines()
    return found


def test_in_a_pipe_each_row_is_a_line_whose_first_word_is_the_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that it can be cut out."""
    monkeypatch.setenv("COLUMNS", "20")
    lines = shown(None, COLUMNS, ROWS, monkeypatch, capsys)
    assert [line.split()[0] for line in lines] == ["task", ROWS[0][0], ROWS[1][0]]
    assert len({line.index(mark) for line, mark in zip(lines, ("replyRef", "useapi-"), strict=False)}) == 1


def test_on_a_narrow_terminal_an_id_has_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Uncut, and nothing else is cut either."""
    assert shown(80, COLUMNS, ROWS, monkeypatch, capsys) == [
        "task",
        "  status     done  created",
        ROWS[0][0],
        "  SUCCEEDED  100%  2026-01-02 03:04 UTC",
        "  replyRef: useapi-runwayml-0123456789abcdef0123456789abcdef",
        ROWS[1][0],
        "  RUNNING    5%    2026-01-02 03:04 UTC",
    ]
    assert len(shown(200, COLUMNS, ROWS, monkeypatch, capsys)) == 3


def test_what_is_long_has_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where an id is not what comes first, the row's line does; what is missing has no line."""
    rows = [(1, "a.mp4", TASK, "done", "a" * 70), (12, "文.mp4", None, "held", None)]
    assert shown(80, ("row", "video", "task", "state", "why"), rows, monkeypatch, capsys) == [
        "row  video   state",
        "1    a.mp4   done",
        f"  task: {TASK}",
        f"  why: {'a' * 70}",
        "12   文.mp4  held",
    ]


WIDE = ["one  two   three", "abc  abcd  abcde"]
NARROW = ["one  two", "abc  abcd", "  three: abcde"]


@pytest.mark.parametrize(
    ("columns", "row", "room", "told"),
    [
        (["one", "two", "three"], ["abc", "abcd", "abcde"], 16, WIDE),
        (["one", "two", "three"], ["abc", "abcd", "abcde"], 15, NARROW),
        (["one", "two", "three"], ["abc", "abcd", "abcde"], 11, NARROW),
        (["one", "two", "three"], ["abc", "abcd", "abcde"], 10, ["one", "abc", "  two: abcd", "  three: abcde"]),
        (["one", "two", "three"], ["abc", "abcd", "abcde"], 2, ["one", "abc", "  two: abcd", "  three: abcde"]),
        (["task", "two"], ["an-id", "ab"], 8, ["task", "  two", "an-id", "  ab"]),
        (
            ["task", "two", "asset"],
            ["an-id", "ab", "another"],
            8,
            ["task", "  two", "an-id", "  ab", "  asset: another"],
        ),
        (["one", "asset"], ["ab", "another"], 8, ["one", "ab", "  asset: another"]),
    ],
)
def test_a_table_on_a_terminal_breaks_no_id(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, columns: list[str], row: list[str], room: int, told: list[str]
) -> None:
    """A line for each row where there is room to the last letter; else ids, and the longest of the rest, have lines of their own."""
    assert shown(room, columns, [row], monkeypatch, capsys) == told


# -- as it is used ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_run_in_a_pipe_needs_nothing_that_draws(tmp_path: Path) -> None:
    """What draws bars is loaded for terminals alone."""
    program = (
        "import sys\n"
        "from useapi_runwayml.cli import app, output, telling\n"
        "code = app.run(['demo', '--output', 'out'])\n"
        "output.table(('task',), [('x',)])\n"
        "raise SystemExit(code or 'useapi_runwayml.cli.bars' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="pty is not there")
@pytest.mark.slow
def test_a_terminal_sees_each_stage_in_80_columns(tmp_path: Path) -> None:
    """Drawn on standard error; the receipt goes where standard output goes."""
    import pty

    from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

    (tmp_path / "c.mp4").write_bytes(MP4)
    with SimulatorServer(Simulator(task_seconds=40), clock=RunningClock(20)) as server:
        environment = {**os.environ, "USEAPI_TOKEN": "user:1-a", "USEAPI_RUNWAYML_BASE_URL": server.base_url}
        environment |= {"TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": "1"}
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "useapi_runwayml", "run", "c.mp4", "x", "-o", "o.mp4"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment, cwd=tmp_path)
        os.close(slave)
        drawn = b""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            drawn += chunk
        os.close(master)
        out = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())
    assert re.fullmatch(r"Task: user:4242-\S+\nResult: o.mp4 \(\d+ bytes\)\n", out)
    assert "Task:" not in text
    assert "PENDING" in text
    assert "done" in text
    assert re.search(r"done +━+ 100%, in \d+ s", text)
    assert max(len(line.rstrip()) for line in re.split(r"[\r\n]+", text)) <= 80


@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_line_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch, json_wanted: bool) -> None:
    """Whoever is interrupted while it tells something leaves no half of a line, onto which the next would be put."""
    pieces, flushed = list[str](), list[int]()

    class Noting(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

        def flush(self) -> None:
            flushed.append(len(pieces))

    monkeypatch.setattr(sys, "stdout", Noting())
    monkeypatch.setattr(sys, "stderr", Noting())
    output.use_json(json_wanted)
    tell(GOOD, receipt=True)
    output.say("said")
    output.show_warning("careful")
    output.emit({"a": 1})
    output.emit(list(range(2000)))
    output.table(("task",), [("x",), ("y",)])
    output.table(("task",), [])
    output.fields({"a": 1, "b": None})
    assert pieces
    assert all(each.endswith("\n") and each.strip() for each in pieces), pieces
    assert flushed == [*range(1, len(pieces) + 1)]  # at once: whoever looks on, or reads a pipe, waits for nothing
