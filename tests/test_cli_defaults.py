"""What the command line takes for an option that is left out: other scripts count on it, and the help tells it."""

from __future__ import annotations

import re

import pytest

from .test_cli import Run, folder, run, server

__all__ = ["folder", "run", "server"]

RECEIVING = {"--callback-port": "8080", "--callback-host": "127.0.0.1"}
DEFAULTS = {
    "run": {
        "--overwrite": "False",
        "--extra-body": "{}",
        "--encoding": "json",
        "--timeout": "3600.0",
        "--busy-timeout": "600.0",
        **RECEIVING,
        "--reuse": "True",
        "--delete-asset": "False",
    },
    "simulate": {
        "--port": "8787",
        "--host": "127.0.0.1",
        "--speed": "1.0",
        "--max-jobs": "5",
        "--credits": "2250",
        "--seed": "0",
        "--strict": "False",
        "--allow-remote-callbacks": "False",
        "--web-tasks": "0",
        "--storage": "4",
        "--print-env": "False",
        "--quiet": "False",
    },
    "tasks list": {"--limit": "100"},
    "tasks wait": {"--overwrite": "False", "--timeout": "3600"},
    "assets list": {"--limit": "100"},
    "callbacks serve": {"--port": "8080", "--host": "127.0.0.1"},
    "batch run": {
        "--defaults": "{}",
        "--max-jobs": "5",
        "--settle": "60",
        "--endpoint": "video_to_video",
        "--delete-assets": "False",
        **RECEIVING,
        "--adopt": "False",
        "--anew": "False",
        "--dry-run": "False",
        "--no-work": "False",
        "--yes": "False",
    },
    "batch worker": {**RECEIVING, "--until-done": "False"},
    "demo": {"--output": "demo-output"},
}


def options_of(run: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the help tells of each option."""
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    text = " ".join(out.replace("│", " ").split())
    starts = [
        *re.finditer(r"(?<= )--(?!no-(?!work )|empty-)[a-z-]+(?=( -\w| --no-[a-z-]+| --empty-[a-z-]+)* [A-Z])", text)
    ]
    ends = [*(each.start() for each in starts[1:]), len(text)]
    return {each[0]: text[each.end() : end].strip() for each, end in zip(starts, ends, strict=True)}


@pytest.mark.parametrize("command", DEFAULTS)
def test_what_is_left_out_is_what_the_help_tells(run: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each default is typed in here; one that changes is a change for those who never typed the option."""
    told = options_of(run, command, monkeypatch)
    found = {name: match[1] for name, text in told.items() if (match := re.search(r"\[default: ([^]]*)\]", text))}
    assert found == {"--json": "False", "--debug": "False", **DEFAULTS[command]}


@pytest.mark.parametrize(("command", "priced"), [("run", {"--seconds": "Each costs 5 credits."}), ("aleph run", {})])
def test_the_help_of_a_run_tells_what_its_seconds_cost(
    run: Run, command: str, priced: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are an option; of what has no default, what it is; and at the reference alone that it is made unless given."""
    told = options_of(run, command, monkeypatch)
    words = re.compile(r"(?:Each costs|What they cost).*$")
    assert {name: match[0] for name, text in told.items() if (match := words.search(text))} == priced
    assert [name for name, text in told.items() if "A unique one is made unless given." in text] == ["--reply-ref"]
    assert told["--video"].startswith("The clip: a path, or the id of an asset. [required]")
    assert re.match(r"[A-Z].+\. \[required\]", told["--prompt"])
