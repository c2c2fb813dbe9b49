"""What others have written is read without a crash, whatever it is: made by hypothesis, and every case that ever crashed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .fuzz_targets import TARGETS

CASES = sorted((Path(__file__).parent / "fuzz_cases").glob("*/*"))
WORDS = st.sampled_from(
    [
        *(
            "taskId",
            "status",
            "error",
            "artifacts",
            "options",
            "url",
            "runningTasks",
            "retryAfter",
            "code",
            "task",
            "tasks",
            "assetId",
        ),
        *("video", "prompt", "output", "seconds", "seed", "endpoint", "extra_body", "email", "clip.mp4", "aleph"),
        *("SUCCEEDED", "FAILED", "user:1-abc", "user:1-runwayml:a@b.test-task:1", "https://u:p@a.test/x?y#z", "sep=;"),
        *(
            "text/html",
            "application/json",
            "multipart/form-data; boundary=",
            "video/mp4",
            "signed=",
            "a=1&" * 120,
            "http://[::1",
        ),
        *(
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "1e9",
            "0",
            "-1",
            "٣",
            "\ud800",
            "\ufeff",
            "\0",
            "con.mp4",
        ),
    ]
)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)
TEXT = st.lists(
    WORDS | st.text(max_size=8) | st.sampled_from([",", ";", "\n", "\r\n", '"', "|", " ", "/", "\t", "{", "[", ":"]),
    max_size=20,
)
WRITTEN = st.one_of(
    st.binary(max_size=200),
    TEXT.map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")),
    TEXT.map(lambda parts: "".join(parts).encode("utf-16", "surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(JSON, max_size=4).map(lambda values: "\n".join(map(json.dumps, values)).encode()),
    st.integers(1, 300).map(lambda depth: b"[" * depth + b"]" * depth),
)


@pytest.mark.parametrize("target", TARGETS)
def test_it_reads_whatever_was_written(target: str) -> None:
    """Bytes, texts, JSON and lines of any shape end in a result, or in an error of ours."""

    @settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(WRITTEN)
    def read(data: bytes) -> None:
        TARGETS[target](data)

    read()


@pytest.mark.parametrize("case", CASES, ids=[f"{each.parent.name}-{each.name}" for each in CASES])
def test_what_once_crashed_is_read(case: Path) -> None:
    """Each case that a fuzzer has found stays found."""
    TARGETS[case.parent.name](case.read_bytes())


def test_there_are_cases() -> None:
    """They are found where the fuzzer writes them."""
    assert {each.parent.name for each in CASES} <= TARGETS.keys()
    assert CASES
