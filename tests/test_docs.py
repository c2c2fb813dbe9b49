"""The pages say what there is: nothing public is missing in the reference, no picture is old, no link leads nowhere."""

from __future__ import annotations

import inspect
import io
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock
from sphinx.util.inventory import InventoryFile

import useapi_runwayml
import useapi_runwayml.batch as batch
import useapi_runwayml.callbacks as callbacks
import useapi_runwayml.resources as all_resources
import useapi_runwayml.simulator as simulator
from useapi_runwayml import AsyncRunwayClient, RunwayClient, errors, pytest_plugin
from useapi_runwayml.cli import exits

from .conftest import MP4, TOKEN
from .documents import PAGES, ROOT, prepare

SOURCE = Path(useapi_runwayml.__file__).parent
OURS = re.compile(r"\b(USEAPI_[A-Z_]+|(?:HTTP|HTTPS|ALL|NO)_PROXY|SSL_CERT_FILE)\b")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as scripts/docs builds them, once for all processes of a run: a warning is an error."""
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    place = tmp_path_factory.getbasetemp().parent if is_one_of_many else tmp_path_factory.mktemp("docs")
    folder = place / "site"
    with FileLock(place / "site.lock"):
        if not (folder / "objects.inv").exists():
            build = ["-m", "sphinx", "-b", "html", "--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
            surroundings = {name: value for name, value in os.environ.items() if not name.startswith("USEAPI_")}
            command = [sys.executable, *build, "docs", str(folder)]
            done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True)
            if done.returncode:
                (folder / "objects.inv").unlink(missing_ok=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def described(site: Path) -> set[str]:
    """The last parts of all Python names that the reference describes, with their class where they have one."""
    inventory: Any = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    names = {name for kind, found in inventory.data.items() if kind.startswith("py:") for name in found}
    return {".".join(name.split(".")[-length:]) for name in names for length in (1, 2)}


def text_of(page: Path) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def methods(kind: type) -> Iterator[str]:
    """The public methods and properties that a class of ours has, its bases of ours included."""
    for each in kind.__mro__:
        if each.__module__.startswith("useapi_runwayml"):
            for name, value in vars(each).items():
                if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    yield f"{kind.__name__}.{name}"


def resources() -> Iterator[type]:
    for client in (RunwayClient, AsyncRunwayClient):
        for name in dir(client):
            if inspect.isclass(found := getattr(client, name)) and not name.startswith("_"):
                yield found


@pytest.mark.slow
def test_no_public_name_is_undocumented(described: set[str]) -> None:
    """What can be imported, and each method of what a client has."""
    names = {
        *useapi_runwayml.__all__,
        *errors.__all__,
        *all_resources.__all__,
        *simulator.__all__,
        *callbacks.__all__,
        *batch.__all__,
    } - {"__version__"}
    found = [*resources()]
    assert {each.__name__ for each in found} > {"Tasks", "AsyncAssets", "VideoToVideo", "AsyncAleph"}
    classes = {getattr(useapi_runwayml, name) for name in useapi_runwayml.__all__} | {*found}
    named = {name for kind in classes if inspect.isclass(kind) for name in methods(kind)}
    assert {"Tasks.wait", "AsyncVideoToVideo.run", "Task.to_dict", "RunwayClient.close"} <= named
    assert sorted((names | named) - described) == []
    assert not [kind for kind in classes if inspect.isclass(kind) and not vars(kind).get("__doc__")]


@pytest.mark.slow
def test_every_fixture_command_variable_and_code_is_told(site: Path, described: set[str]) -> None:
    """In the reference, which is made of the code."""
    fixtures = {name for name, value in vars(pytest_plugin).items() if "Fixture" in type(value).__name__}
    assert len(fixtures) >= 5
    assert fixtures <= described
    variables = {name for path in SOURCE.rglob("*.py") for name in OURS.findall(path.read_text(encoding="utf-8"))}
    assert {"USEAPI_TOKEN", "HTTPS_PROXY"} < variables
    told = text_of(site / "reference" / "environment.html")
    assert not {name for name in variables if name not in told}
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    told = text_of(site / "reference" / "exit-codes.html")
    assert not {code for code in codes if not re.search(rf"^{code}$", told, re.MULTILINE)}


@pytest.mark.slow
def test_every_command_and_option_is_told(site: Path) -> None:
    """As the parser has them."""
    from useapi_runwayml.cli.app import app

    told = text_of(site / "reference" / "command-line.html")
    seen = 0
    for words, inner in commands(app, "useapi-runwayml"):
        assert words in told, words
        for argument in inner.assemble_argument_collection() if inner.default_command else ():
            names = [each for each in argument.names if each.startswith("--")]
            seen += len(names)
            assert not argument.show or not [each for each in names if each not in told], (words, names)
    assert seen > 100


def commands(app: Any, words: str) -> Iterator[tuple[str, Any]]:
    """All commands below one, by what is typed."""
    for name in app:
        if not name.startswith("-"):
            inner = app[name]
            yield f"{words} {name}", inner
            yield from commands(inner, f"{words} {name}")


@pytest.mark.slow
def test_the_whole_document_is_rendered(site: Path) -> None:
    """Each operation, each schema, and each field of a schema."""
    import yaml

    document = yaml.safe_load((ROOT / "openapi" / "useapi-runwayml.yaml").read_text(encoding="utf-8"))
    told = text_of(site / "reference" / "api-document.html")
    operations = [
        each["operationId"] for path in document["paths"].values() for each in path.values() if "operationId" in each
    ]
    schemas = document["components"]["schemas"]
    fields = {field for each in schemas.values() for field in each.get("properties", {})}
    assert len(operations) > 10
    assert not [each for each in (*operations, *schemas, *fields) if each not in told]


@pytest.mark.parametrize("script", ["pictures.py", pytest.param("recording.py", marks=pytest.mark.slow)])
def test_no_picture_is_old(script: str) -> None:
    """Each is what its script draws; the recording has the lines that the demo prints."""
    done = subprocess.run([sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_recording_shows_what_it_says() -> None:
    """The lines that are compared are those that are drawn."""
    drawn = (ROOT / "docs" / "_static" / "recording.svg").read_text(encoding="utf-8")
    told, _, picture = drawn.partition("</desc>")
    letters = re.sub(r"\s", "", unescape(re.sub(r"<[^>]+>", "", picture)).replace("\xa0", " "))
    lines = unescape(told.partition("<desc>")[2]).splitlines()
    assert len(lines) > 4
    assert not [line for line in lines if re.sub(r"\s", "", line) not in letters]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative one, to a file and to a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if heading:
            found = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found], target


def test_the_page_of_errors_has_each() -> None:
    """What to do about it stands there."""
    told = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "Problem"]
    bases = {base for kind in kinds for base in kind.__bases__}
    assert not [kind.__name__ for kind in kinds if kind not in bases and f"`{kind.__name__}`" not in told]


def test_what_the_pages_say_of_arguments_holds(tmp_path: Path) -> None:
    """What None is as a timeout, and how a name is refused that nobody knows."""
    simulated = simulator.Simulator()
    with httpx.Client(transport=simulator.SimulatorTransport(simulated)) as http_client:
        runway = RunwayClient(
            "user:1-abc", base_url="http://simulator/v1/runwayml", http_client=http_client, timeout=None
        )
        assert runway._context.settings.timeout == 60
        wrong: Any = {"secs": 5}
        with pytest.raises(TypeError, match="secs"):
            runway.video_to_video.run("clip.mp4", "x", destination=tmp_path / "out.mp4", **wrong)
        with pytest.raises(TypeError, match="secs"):
            runway.video_to_video.create(asset_id="a", text_prompt="x", **wrong)
        (tmp_path / "out.mp4").touch()
        with pytest.raises(FileExistsError):
            runway.video_to_video.run(io.BytesIO(MP4), "x", destination=tmp_path / "out.mp4")
        never: Any = None
        with pytest.raises(errors.ParameterError, match="timeout"):
            runway.tasks.wait("user:1-runwayml:a@b.test-task:x", timeout=never)
        assert list(runway.tasks.list(timeout=math.inf)) == []
    assert not simulated.paid.creates


def test_doctor_reads_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six requests at most, none of which changes anything."""
    from useapi_runwayml.cli.app import run

    with simulator.SimulatorServer(simulator.Simulator()) as server:
        prepare(server)
        for name, value in (("USEAPI_RUNWAYML_BASE_URL", server.base_url), ("USEAPI_TOKEN", TOKEN)):
            monkeypatch.setenv(name, value)
        run(["features"])
        before = len(server.simulator.requests)
        run(["doctor", "--live"])
        asked = [each.operation for each in [*server.simulator.requests][before:]]
    live = ["getFeatures", "listScheduler", "listTasks", "listAssets", "getTask", "getAsset"]
    assert asked[-6:] == live
    assert not {*asked} - {*live}


def test_the_endpoint_of_the_page_is_one_that_is_generated() -> None:
    """The example is what test_new_creation adds to the document and uses everywhere, and a price."""
    import yaml

    from .test_new_creation import PATH

    page = (ROOT / "docs" / "adding-an-endpoint.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    told = yaml.safe_load(block)
    assert told["/gen3/video"]["post"].pop("x-credits-per-second") == 5
    assert told == yaml.safe_load(PATH)
