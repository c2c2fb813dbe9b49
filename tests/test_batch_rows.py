"""Jobs files as people write them, and what is said of them before anything is sent."""

from __future__ import annotations

import codecs
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.batch import checks, rows

from .conftest import MP4

ENDPOINT = "video_to_video"
AWKWARD = 'a, "b"\nc 😀; d\te'


def read(folder: Path, name: str, content: str | bytes) -> rows.Jobs:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows.read_jobs(path)


def check(folder: Path, *values: dict[str, Any], **defaults: Any) -> tuple[list[checks.Job], list[str]]:
    (folder / "c.mp4").write_bytes(MP4)
    jobs = rows.Jobs(ENDPOINT, [rows.Row(number + 2, ENDPOINT, each) for number, each in enumerate(values)])
    return checks.check(jobs, folder, folder / "results", defaults)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("sep", [False, True])
def test_csv_as_spreadsheets_write_it(tmp_path: Path, delimiter: str, encoding: str, newline: str, sep: bool) -> None:
    """Commas, semicolons and tabs, BOMs, Excel's sep= line; quotes, line breaks and emoji in a prompt arrive whole."""
    quoted = AWKWARD.replace('"', '""')
    lines = [f"sep={delimiter}"] if sep else []
    lines += [
        delimiter.join(["video", "prompt", "seed", "explore_mode"]),
        delimiter.join(["c.mp4", f'"{quoted}"', "7", "TRUE"]),
        "",
        delimiter.join(["d.mp4", " spaces stay ", "", "no"]),
        delimiter.join(["e.mp4", "x", "", "Yes"]),
        delimiter.join(["f.mp4", "x", "", "false"]),
    ]
    jobs = read(tmp_path, "jobs.csv", newline.join(lines).encode(encoding))
    assert jobs.problems == []
    assert [dict(row.values) for row in jobs.rows] == [
        {"video": "c.mp4", "prompt": AWKWARD, "seed": 7, "explore_mode": True},
        {"video": "d.mp4", "prompt": " spaces stay ", "explore_mode": False},
        {"video": "e.mp4", "prompt": "x", "explore_mode": True},
        {"video": "f.mp4", "prompt": "x", "explore_mode": False},
    ]
    assert [row.line for row in jobs.rows] == [2 + sep, 5 + sep, 6 + sep, 7 + sep]


@pytest.mark.parametrize("before", ["\ufeff", "\ufeff\ufeff", "\u200b", "\ufeff\u200b", "\u2060 "])
@pytest.mark.parametrize("name", ["jobs.csv", "jobs.json", "jobs.jsonl"])
def test_letters_that_nobody_sees_before_a_name_are_left_out(tmp_path: Path, name: str, before: str) -> None:
    """A second BOM, or what copying from a web page brings along, in front of the first column or of any other."""
    if name == "jobs.csv":
        text = f"{before}video,prompt,\u200bseed\nc.mp4,a\u200bb,7\u200b\n"
    else:
        text = json.dumps({"\u200bvideo": "c.mp4", "prompt": "a\u200bb", "seed\u200b": 7}, ensure_ascii=False)
        text = ("\ufeff" if "\ufeff" in before else "") + (text if "l" in name[-5:] else f"[{text}]")
    jobs = read(tmp_path, name, text)
    assert jobs.problems == []
    assert [dict(row.values) for row in jobs.rows] == [{"video": "c.mp4", "prompt": "a\u200bb", "seed": 7}]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7", 7),
        ("7.0", 7),
        ("+7", 7),
        ("7.000", 7),
        (" 7 ", 7),
        ("7.5", "7.5"),
        (" 7.5 ", "7.5"),
        ("7e0", "7e0"),
        ("7.", "7."),
        ("0x7", "0x7"),
    ],
)
def test_whole_numbers_as_spreadsheets_write_them(tmp_path: Path, written: str, meant: Any) -> None:
    """7.0 is 7; what is no whole number stays as it is, and is refused in words by its column's rule."""
    (row,) = read(tmp_path, "jobs.csv", f"video,prompt,seed\nc.mp4,x,{written}\n").rows
    assert (row.values["seed"], type(row.values["seed"])) == (meant, type(meant))
    _, problems = check(tmp_path, dict(row.values))
    assert problems == ([] if meant == 7 else [f"line 2: seed: {meant!r} is refused, it must be an integer"])


@pytest.mark.parametrize(("value", "meant"), [(7.0, 7), (7.5, 7.5), (True, True)])
def test_whole_numbers_in_json(tmp_path: Path, value: Any, meant: Any) -> None:
    """7.0 is 7 in JSON too."""
    (row,) = read(tmp_path, "jobs.json", json.dumps([{"video": "c.mp4", "prompt": "x", "seed": value}])).rows
    assert (row.values["seed"], type(row.values["seed"])) == (meant, type(meant))
    assert bool(check(tmp_path, dict(row.values))[1]) == (meant != 7)


@pytest.mark.parametrize("name", ["jobs.json", "wrapped.json", "jobs.jsonl", "jobs.ndjson"])
def test_json_in_three_forms(tmp_path: Path, name: str) -> None:
    """A list, a list under `jobs`, and an object a line; values keep their types, null is left out."""
    entries = [
        {"video": "c.mp4", "text_prompt": AWKWARD, "seed": 7, "extra_body": {"zz": [1]}, "email": None},
        {"video": "d.mp4"},
    ]
    text = (
        "\n".join(map(json.dumps, entries)) + "\n"
        if "l" in name.rpartition(".")[2] or "nd" in name
        else json.dumps(entries)
    )
    jobs = read(tmp_path, name, json.dumps({"jobs": entries}) if name.startswith("wrapped") else text)
    assert jobs.problems == []
    assert dict(jobs.rows[0].values) == {"video": "c.mp4", "prompt": AWKWARD, "seed": 7, "extra_body": {"zz": [1]}}
    assert [row.line for row in jobs.rows] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "video,promt\nc.mp4,x\n", "line 2: there is no column 'promt' for video_to_video; is prompt meant?"),
        ("a.csv", "video,prompt,video\nc.mp4,x,y\n", "line 1: column 'video' stands there twice"),
        ("a.csv", "video,prompt\nc.mp4,a,b\n", "line 2: 3 cells under 2 columns; quote a cell with a comma in it"),
        ("a.csv", 'video,prompt\nc.mp4,"never closed\n', "line 2: unexpected end of data; a quote may not be closed"),
        ("a.csv", 'video,prompt\nc.mp4,"a"b\n', "line 2: ',' expected after '\"'; a quote may not be closed"),
        ("a.csv", "video,prompt,text_prompt\nc.mp4,a,b\n", "line 2: prompt and text_prompt are the same, give one"),
        (
            "a.csv",
            codecs.BOM_UTF8 + b"video,prompt\nc.mp4,\xe4\n",
            "line 2: it is not UTF-8; save the file as “CSV UTF-8”",
        ),
        ("a.csv", b"\nvideo,prompt\nc.mp4,\xe4\n", "line 3: it is not UTF-8; save the file as “CSV UTF-8”"),
        (
            "a.csv",
            "video,secods\nc.mp4,5\n",
            "line 2: there is no column 'secods' for video_to_video; is seconds meant?",
        ),
        ("a.csv", "video,zzz\nc.mp4,5\n", "line 2: there is no column 'zzz' for video_to_video"),
        ("a.json", '[{"endpoint": "none"}]', "line 1: there is no endpoint 'none': video_to_video, "),
        ("a.json", '[{"endpoint": 7}]', "line 1: there is no endpoint 7: video_to_video, "),
        ("a.csv", "", "a.csv has no jobs"),
        ("a.csv", "video,prompt\n", "a.csv has no jobs"),
        ("a.json", "{", "no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("a.json", "{}", "it must be a list of jobs, bare or under “jobs”"),
        ("a.json", "[7]", "line 1: a job must be an object"),
        ("a.json", "[" * 100_000, "no JSON: "),
        ("a.jsonl", "[" * 100_000, "line 1: no JSON: "),
        (
            "a.jsonl",
            '{"video": "x"}\n{\n',
            "line 2: no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        ("a.jsonl", "[]\n", "line 1: a job must be an object"),
    ],
)
def test_a_bad_form_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    """In words for whoever made the file."""
    (problem,) = read(tmp_path, name, content).problems
    assert problem.startswith(told)
    assert problem == told or told.endswith(("JSON: ", "video_to_video, "))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "prompt: it is required"),
        ({"video": "c.mp4", "prompt": ""}, "prompt: '' is refused, it must have at least 1 character"),
        ({"prompt": "x"}, "video is missing: a path, or the id of an asset"),
        ({"prompt": "x", "video": ""}, "video is missing: a path, or the id of an asset"),
        ({"prompt": "x", "video": "none.mp4"}, "no such file"),
        ({"prompt": "x", "video": f"{'x' * 300}.mp4"}, f"{'x' * 300}.mp4"),
        ({"prompt": "x", "video": "."}, "it is a folder"),
        ({"prompt": "x", "video": "empty.mp4"}, "it is empty"),
        ({"prompt": "x", "video": "text.txt"}, "its ending tells no media type"),
        ({"prompt": "x", "video": "still.png"}, "it is no video"),
        ({"prompt": "x", "video": "a\0b.mp4"}, "it is no path"),
        ({"prompt": "x", "video": "c.mp4", "seed": 0}, "seed: 0 is refused, it must be from 1 to 4294967294"),
        ({"prompt": "x", "video": "c.mp4", "seed": "many"}, "seed: 'many' is refused, it must be an integer"),
        ({"prompt": "x", "video": "c.mp4", "seconds": 7}, "seconds: 7 is refused, it must be one of 5, 10"),
        ({"prompt": "x", "video": "c.mp4", "explore_mode": "maybe"}, "it must be true or false"),
        ({"prompt": "\ud800", "video": "c.mp4"}, "lone surrogate"),
        ({"prompt": "x", "video": "c.mp4", "email": "nobody"}, "email 'nobody' is none"),
        ({"prompt": "x", "video": "c.mp4", "encoding": "xml"}, "encoding must be json or multipart"),
        ({"prompt": "x", "video": "c.mp4", "encoding": ["x"]}, "encoding must be json or multipart"),
        ({"prompt": "x", "video": "c.mp4", "output": 5}, "output must be text"),
        ({"prompt": "x", "video": 5}, "video must be text"),
        ({"prompt": "x", "video": ["c.mp4"]}, "video must be text"),
        ({"prompt": "x", "video": {"path": "c.mp4"}}, "video must be text"),
        ({"prompt": "x", "video": "c.mp4", "endpoint": "aleph", "image": [1]}, "image must be text"),
        ({"prompt": "x", "video": "c.mp4", "seed": "--5"}, "seed: '--5' is refused, it must be an integer"),
        ({"prompt": "x", "video": "c.mp4", "extra_body": 7}, "it must be a mapping"),
        ({"prompt": "x", "video": "c.mp4", "reply_ref": "x" * 961}, "reply_ref must have at most 960 characters here"),
        ({"prompt": "x", "video": "c.mp4", "output": "there.mp4"}, "it exists already"),
        ({"prompt": "x", "video": "c.mp4", "output": "c\0.mp4"}, "no file can be put there"),
        ({"prompt": "x", "video": "c.mp4", "output": "x" * 300}, "no file can be put there"),
    ],
)
def test_every_problem_of_a_row_is_told(tmp_path: Path, values: dict[str, Any], told: str) -> None:
    """With its line, and no job is made of it."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "still.png").write_text("x")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "there.mp4").write_text("x")
    jobs, problems = check(tmp_path, values)
    assert len(jobs) == (told == "it exists already"), "which may be its own, of a journal that was lost"
    assert all(each.startswith("line 2: ") for each in problems)
    assert any(told in each for each in problems), problems


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Of all rows, and several of one."""
    _, problems = check(
        tmp_path, {"seed": 0}, {"prompt": "x", "video": "c.mp4"}, {"prompt": "x", "video": "c.mp4", "seconds": 1}
    )
    assert [each.partition(":")[0] for each in problems] == ["line 2", "line 2", "line 2", "line 4"]


@pytest.mark.parametrize(
    ("one", "two"), [("a.mp4", "a.mp4"), ("a.mp4", "A.MP4"), ("x/../a.mp4", "a.mp4"), ("s/a.mp4", "s\\a.mp4")]
)
def test_two_rows_for_one_file_are_refused(tmp_path: Path, one: str, two: str) -> None:
    """Also where only a disk that takes no account of case would mix them up."""
    job = {"prompt": "x", "video": "c.mp4"}
    _, problems = check(tmp_path, {**job, "output": one}, {**job, "output": two})
    assert problems
    assert problems == [each for each in problems if "line 3: output" in each and "line 2 has the same" in each]


def test_names_that_only_look_different_are_one(tmp_path: Path) -> None:
    """A link to a folder, another normal form of a letter, and a file where another row needs a folder are told."""
    (tmp_path / "results" / "real").mkdir(parents=True)
    (tmp_path / "results" / "link").symlink_to(tmp_path / "results" / "real")
    job = {"prompt": "x", "video": "c.mp4"}
    for one, two, told in (
        ("real/x.mp4", "link/x.mp4", "line 2 has the same"),
        ("\u00e9.mp4", "e\u0301.mp4", "line 2 has the same"),
        ("a", "a/b.mp4", "line 2 has a file where one of the two needs a folder"),
        ("a/b.mp4", "a", "line 2 has a file where one of the two needs a folder"),
        ("a/b/c/d.mp4", "a", "line 2 has a file where one of the two needs a folder"),
        ("a", "a/b/c/d.mp4", "line 2 has a file where one of the two needs a folder"),
    ):
        _, problems = check(tmp_path, {**job, "output": one}, {**job, "output": two})
        assert len(problems) == 1
        assert told in problems[0]


def test_what_stands_behind_a_bad_or_an_empty_line_is_read(tmp_path: Path) -> None:
    """All of a file is read, whatever stands between its jobs; empty cells behind the last column are none."""
    job = '{"video": "c.mp4", "prompt": "x"}'
    jobs = read(tmp_path, "a.jsonl", f"\n{job}\n\n{{\n{job}\n[]\n{job}\n")
    assert [row.line for row in jobs.rows] == [2, 5, 7]
    assert [each.partition(":")[0] for each in jobs.problems] == ["line 4", "line 6"]
    jobs = read(tmp_path, "a.csv", "video,prompt\n,\nc.mp4,x,,\n\nd.mp4,y\n")
    assert (jobs.problems, [row.line for row in jobs.rows]) == ([], [3, 5])


def test_a_cell_is_of_the_type_of_its_column_alone(tmp_path: Path) -> None:
    """A prompt of one word that means something elsewhere stays a text, as does what is none of its type; what is no prompt has no spaces around it."""
    deep = "[" * 100_000
    lines = [
        "video,prompt,endpoint,explore_mode,extra_body",
        " c.mp4 ,no, aleph ,maybe,{",
        f"d.mp4, 7 ,,NO,{deep}",
        "e.mp4,,,,[7]",
    ]
    jobs = read(tmp_path, "a.csv", "\n".join(lines))
    assert jobs.problems == []
    assert [row.endpoint for row in jobs.rows] == ["aleph", ENDPOINT, ENDPOINT]
    assert [dict(row.values) for row in jobs.rows] == [
        {"video": "c.mp4", "prompt": "no", "endpoint": "aleph", "explore_mode": "maybe", "extra_body": "{"},
        {"video": "d.mp4", "prompt": " 7 ", "explore_mode": False, "extra_body": deep},
        {"video": "e.mp4", "extra_body": [7]},
    ]
    (row,) = read(tmp_path, "a.json", '[{"video": "c.mp4", "endpoint": " aleph "}]').rows
    assert row.endpoint == "aleph"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "there are no jobs"),
        (["x"], "job 1: a job must be an object"),
        ([{"seed": float("nan")}], "job 1: seed: a float is no value of a job"),
        ([{"video": "c.mp4", "prompt": "x"}], None),
    ],
)
def test_jobs_of_python_that_are_none_are_told(given: list[Any], told: str | None) -> None:
    """Each problem once, and none of jobs that are fine."""
    assert rows.given_jobs(given).problems == ([] if told is None else [told])


def test_odd_lines_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """A line separator of Unicode inside JSON, and empty lines before a header with semicolons."""
    jobs = read(tmp_path, "a.jsonl", json.dumps({"video": "c.mp4", "prompt": "a\u2028b"}, ensure_ascii=False))
    assert (jobs.problems, jobs.rows[0].values["prompt"]) == ([], "a\u2028b")
    jobs = read(tmp_path, "a.csv", "\n\nvideo;prompt\nc.mp4;a, b\n")
    assert (jobs.problems, dict(jobs.rows[0].values), jobs.rows[0].line) == (
        [],
        {"video": "c.mp4", "prompt": "a, b"},
        4,
    )
    jobs = read(tmp_path, "b.csv", "\nsep=;\nvideo;prompt\nc.mp4;a, b\n")
    assert (jobs.problems, jobs.rows[0].line) == ([], 4)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is paid: the nearest that is there, above those that are still to be made."""
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (mode == os.W_OK and path == tmp_path) and access(path, mode)
    )
    _, problems = check(tmp_path, {"prompt": "x", "video": "c.mp4"})
    assert problems == [f"line 2: output {tmp_path / 'results' / '0001-c.mp4'}: {tmp_path} cannot be written to"]


@pytest.mark.skipif(os.name == "nt", reason="letters of Windows's paths")
def test_letters_of_windows_paths_are_letters_elsewhere(tmp_path: Path) -> None:
    """A clip whose name has a backslash in it is that clip, a colon is one, and an absolute path is where it says."""
    (tmp_path / "a").mkdir()
    for name in ("a\\b.mp4", "a/b.mp4", "a:b.mp4"):
        (tmp_path / name).write_bytes(MP4)
    outputs = ("1:30.mp4", str(tmp_path / "elsewhere.mp4"))
    jobs, problems = check(
        tmp_path,
        {"prompt": "x", "video": "a\\b.mp4", "output": outputs[0]},
        {"prompt": "x", "video": "a:b.mp4", "output": outputs[1]},
    )
    assert problems == []
    assert [job.video for job in jobs] == [str(tmp_path / name) for name in ("a\\b.mp4", "a:b.mp4")]
    assert [job.output for job in jobs] == [str(tmp_path / "results" / outputs[0]), outputs[1]]


@pytest.mark.parametrize("endpoint", ["video_to_video", "aleph"])
def test_a_default_is_for_those_endpoints_that_know_it(endpoint: str) -> None:
    """An image is none of a model that takes none; a prompt is for all of them."""
    found = checks.values_of(rows.Row(2, endpoint, {"video": "c.mp4"}), {"image": "i.png", "prompt": "x", "promt": "y"})
    image = {"image": "i.png"} if endpoint == "aleph" else {}
    assert found == {"video": "c.mp4", "prompt": "x", **image}


def test_what_has_no_known_length_or_price_is_in_no_sum(tmp_path: Path) -> None:
    """It is counted beside what is known."""
    (known,), _ = check(tmp_path, {"prompt": "x", "video": "c.mp4"})
    assert checks.estimate([known, replace(known, endpoint="aleph")]) == (2, 10, 50, 1, 1)


def test_what_a_good_row_becomes(tmp_path: Path) -> None:
    """Absolute paths, Windows's backslashes, names of results, defaults that a row's own values outdo."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "d.mov").write_bytes(MP4)
    asset = "user:1-runwayml:a@b.test-asset:1"
    jobs, problems = check(
        tmp_path,
        {"prompt": "x", "video": "clips\\d.mov", "seconds": 10, "output": "out\\d.mp4"},
        {"prompt": "x", "video": "c.mp4", "explore_mode": True, "email": "a@b.test"},
        {"prompt": "x", "video": asset, "reply_ref": "m" * 960},
        seconds=5,
        seed=9,
    )
    assert problems == []
    assert [Path(job.video).name for job in jobs[:2]] == ["d.mov", "c.mp4"]
    assert all(Path(job.video).is_file() for job in jobs[:2])
    assert jobs[2].video == asset
    names = [Path(job.output).relative_to(tmp_path / "results").as_posix() for job in jobs]
    assert names == ["out/d.mp4", "0002-c.mp4", "0003-result.mp4"]
    assert [job.parameters for job in jobs] == [
        {"seconds": 10, "seed": 9},
        {"seconds": 5, "seed": 9, "explore_mode": True},
        {"seconds": 5, "seed": 9, "reply_ref": "m" * 960},
    ]
    assert [job.credits() for job in jobs] == [50, 0, 25]
    assert checks.estimate(jobs) == (len(jobs), 20, 75, 0, 0)
    assert [job.id for job in jobs] == ["row-1-1", "row-2-1", "row-3-1"]
