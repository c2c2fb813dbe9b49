"""Help and version as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import useapi_runwayml
from useapi_runwayml.cli import app as cli


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The one JSON value of a command that is well."""
    assert cli.run(arguments) == 0
    out, aside = capsys.readouterr()
    assert aside == ""
    return json.loads(out)


def words(text: str) -> list[str]:
    """Without frames and breaks of lines."""
    return re.sub("[│╭╮╰╯─]", " ", text).split()


@pytest.mark.parametrize(
    "arguments", [("--json", "--version"), ("--version", "--json"), ("tasks", "--version", "--json")]
)
def test_the_version(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Wherever the options stand."""
    assert told(capsys, *arguments) == {"version": useapi_runwayml.__version__}


@pytest.mark.parametrize(
    "arguments", [("--json", "--help"), ("-h", "--json"), ("--json",), ("--json", "--help", "--version")]
)
def test_the_help_names_all_commands(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """With the text that a person reads, also of a group that is given no command."""
    found = told(capsys, *arguments)
    commands = {each["name"]: each["help"] for each in found["commands"]}
    assert {"run", "tasks", "batch", "aleph", "doctor"} <= commands.keys()
    assert commands["tasks"] == "Read, wait for, download and delete tasks."
    assert (found["command"], found["parameters"]) == ("useapi-runwayml", [])
    cli.run(["--help"])
    assert words(found["help"]) == words(capsys.readouterr().out), "however wide the terminal is"


@pytest.mark.parametrize("arguments", [("--json", "tasks"), ("tasks", "--help", "--json")])
def test_the_help_of_a_group(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Its commands, and it is named."""
    found = told(capsys, *arguments)
    assert [each["name"] for each in found["commands"]] == ["list", "get", "find", "wait", "download", "delete"]
    assert found["command"] == "useapi-runwayml tasks"


def test_the_help_of_a_command_tells_what_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, what is required, defaults and choices; nothing is run."""
    found = told(capsys, "run", "c.mp4", "x", "--help", "--json")
    parameters = {each["names"][0]: each for each in found["parameters"]}
    assert [name for name, each in parameters.items() if each["required"]] == ["--video", "--prompt", "--output"]
    assert parameters["--output"]["names"] == ["--output", "-o"]
    assert parameters["--encoding"]["choices"] == ["json", "multipart"]
    assert parameters["--timeout"]["default"] == 3600
    assert "default" not in parameters["--prompt"]
    assert "--callback-port" in parameters
    assert "--called" not in parameters
    assert told(capsys, "demo", "-h", "--json")["parameters"][1]["default"] == "demo-output"


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("doctor", {"--live": False}),
        ("tasks list", {"--limit": 100}),
        ("tasks wait", {"--timeout": 3600, "--overwrite": False}),
        ("tasks download", {"--overwrite": False}),
        ("callbacks serve", {"--port": 8080, "--host": "127.0.0.1"}),
        ("run", {"--callback-port": 8080, "--callback-host": "127.0.0.1"}),
        (
            "simulate",
            {
                "--port": 8787,
                "--speed": 1,
                "--max-jobs": 5,
                "--credits": 2250,
                "--seed": 0,
                "--web-tasks": 0,
                "--storage": 4,
                "--strict": False,
                "--allow-remote-callbacks": False,
            },
        ),
    ],
)
def test_what_is_meant_where_nothing_is_said(
    capsys: pytest.CaptureFixture[str], command: str, defaults: dict[str, Any]
) -> None:
    """As the pages have it."""
    parameters = {each["names"][0]: each for each in told(capsys, *command.split(), "--help", "--json")["parameters"]}
    assert {name: parameters[name]["default"] for name in defaults} == defaults


def test_the_help_of_a_run_tells_what_happens_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    """Its defaults, and what is special about an option: a reference that is made, and what seconds cost."""
    parameters = {each["names"][0]: each for each in told(capsys, "run", "--help", "--json")["parameters"]}
    defaults = {
        "--overwrite": False,
        "--timeout": 3600,
        "--busy-timeout": 600,
        "--encoding": "json",
        "--extra-body": "{}",
        "--reuse": True,
        "--delete-asset": False,
        "--seed": None,
    }
    assert {name: parameters[name]["default"] for name in defaults} == defaults
    helps = {name: each["help"] for name, each in parameters.items()}
    assert all(helps.values())
    assert helps["--overwrite"] == "Replace a file that exists, once the result is there."
    assert [name for name in helps if "A unique one is made unless given." in helps[name]] == ["--reply-ref"]
    assert [name for name in helps if "Each costs 5 credits." in helps[name]] == ["--seconds"]
    assert not [name for name in helps if "is not known." in helps[name]]


@pytest.mark.parametrize(
    "arguments", [("--json", "bogus"), ("--json", "tasks", "bogus"), ("--json", "tasks", "get", "--", "--help")]
)
def test_what_is_no_command_is_none(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """An error as ever; after -- nothing asks for help."""
    assert cli.run(arguments) in (2, 3)
    assert json.loads(capsys.readouterr().out)["error"] != ""


def test_without_json_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """A person gets the text."""
    cli.run(["--version"])
    assert capsys.readouterr().out == f"{useapi_runwayml.__version__}\n"


ALL = (
    "run, features, doctor, demo, simulate, document, tasks, assets, scheduler, callbacks, batch, video-to-video, aleph"
)
INSTALL = "--install-completion"


@pytest.mark.parametrize(
    ("group", "commands"),
    [
        ([], ALL),
        (["tasks"], "list, get, find, wait, download, delete"),
        (["assets"], "list, inspect, upload, get, delete"),
        (["scheduler"], "list, release"),
        (["callbacks"], "serve, url"),
        (["batch"], "run, status, worker, resume, retry-failed, resolve, report"),
        (["video-to-video"], "run"),
        (["aleph"], "run"),
    ],
)
def test_who_names_no_command_is_told_those_that_there_are(
    capsys: pytest.CaptureFixture[str], group: list[str], commands: str
) -> None:
    """As many as have room, and each of all is one that can be given; a shell can be taught them."""
    assert cli.run([*group, "bogus"]) == 2
    told = capsys.readouterr().err
    assert told.startswith('useapi-runwayml: Unknown command "bogus".')
    available = told.partition("Available commands: ")[2].partition(" (see")[0].rstrip("., ")
    shown = [each for each in available.split(", ") if not each.startswith("-")]
    assert shown == commands.split(", ")[: len(shown)]
    assert shown == commands.split(", ") or not group
    assert [each for each in cli.app if each not in ("-h", "--help", "--version")] == [INSTALL, *ALL.split(", ")]
    for each in commands.split(", "):
        assert cli.run([*group, each, "--nonsense"]) == 2
        assert f'Unknown command "{each}"' not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["features"], "features"),
        (["tasks", "get", "t"], "tasks"),
        (["aleph", "run", "a:b-asset:c", "x", "-o", "o.mp4"], "run"),
    ],
)
def test_ctrl_c_is_told_by_each_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], module: str
) -> None:
    """Of a group and alone, with its code."""

    def interrupted(**_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"useapi_runwayml.cli.{module}.RunwayClient", interrupted)
    assert cli.run(words) == 130
    assert "useapi-runwayml: interrupted\n" in capsys.readouterr().err
