"""The package as others get it: one wheel, two import packages, and the two commands that a stranger types."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import attrs
import build
import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "dev.txt"
sys.path.insert(0, str(ROOT / "scripts"))

import release  # noqa: E402
import release_licences  # noqa: E402
import release_smoke  # noqa: E402


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist") / "built"
    release.build_twice(folder)
    return folder


@pytest.mark.slow
def test_one_wheel_carries_both_packages(built: Path) -> None:
    """Both import packages, their py.typed, the document, the clip, the pages and the licence; nothing else at the top."""
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "useapi_runwayml",
        "useapi_runwayml_api",
        "useapi_runwayml-0.1.0.dist-info",
    }
    for name in (
        "useapi_runwayml/py.typed",
        *(f"useapi_runwayml/simulator/web/{kind}" for kind in ("page.html", "docs.html", "common.js", "page.css")),
        "useapi_runwayml_api/py.typed",
        "useapi_runwayml_api/useapi-runwayml.yaml",
        "useapi_runwayml/cli/clip.mp4",
        "useapi_runwayml-0.1.0.dist-info/licenses/LICENSE",
    ):
        assert name in names
    assert not [name for name in names if "__pycache__" in name]
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("openapi/useapi-runwayml.yaml") for name in archive.getnames())


def test_its_version_is_told_once() -> None:
    """pyproject and the package say the same version."""
    from useapi_runwayml import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.proof
def test_the_wheel_works_in_an_empty_environment(built: Path) -> None:
    """Outside the checkout, with the base dependencies alone: both packages import, and extras are asked for in a line."""
    (wheel,) = built.glob("*.whl")
    release_smoke.bare(wheel, PINS)


@pytest.mark.proof
@pytest.mark.parametrize("extra", ["batch", "simulator", "callbacks"])
def test_an_extra_alone_does_what_it_is_for(built: Path, extra: str) -> None:
    """In an environment that has nothing else, the commands that README and docs give for it; nox -s release-check tries them all."""
    (wheel,) = built.glob("*.whl")
    assert list(release_smoke.smoke(wheel, [extra], PINS)) == [extra]


@pytest.mark.parametrize(
    ("command", "code", "stderr", "right"),
    [
        (["demo"], 0, "", True),
        (["demo"], 1, "", False),
        (["demo"], 0, "this needs more: pip install 'useapi-runwayml[simulator]'", False),
        (["demo"], 0, "Traceback (most recent call last):", False),
        (["batch", "worker", "--database", "x"], 1, "x: the database cannot be used: refused", True),
        (["batch", "worker", "--database", "x"], 1, "this needs more: pip install 'useapi-runwayml[postgres]'", False),
        (["batch", "worker", "--database", "x"], 0, "", False),
    ],
)
def test_a_command_that_lacks_its_extra_fails_the_release(
    command: list[str], code: int, stderr: str, right: bool, tmp_path: Path
) -> None:
    """So does one that fails, or shows a traceback; without a database, that there is none has to be said."""

    class Made(release_smoke.Environment):
        def __init__(self) -> None:
            self.extra, self.work, self._venv = "simulator", tmp_path, tmp_path

        def run(self, command: list[str], service: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(command, code, "", stderr)

    if right:
        release_smoke.check(Made(), command, "")
    else:
        with pytest.raises(release.Failed, match=r"\[simulator\] useapi-runwayml"):
            release_smoke.check(Made(), command, "")


@pytest.mark.slow
def test_what_is_built_is_what_an_index_and_pip_take(built: Path, tmp_path: Path) -> None:
    """twine and check-wheel-contents have nothing to say against it; a file too many would be said."""
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    release.look_at(wheel, sdist)
    stray = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(stray, "w") as after:
        for name in before.namelist():
            more = b"useapi_runwayml/stray.py,,\n" if name.endswith("/RECORD") else b""
            after.writestr(name, before.read(name) + more)
        after.writestr("useapi_runwayml/stray.py", "1")
    with pytest.raises(release.Failed, match="stray"):
        release.look_at(stray, sdist)


@pytest.mark.slow
def test_two_builds_that_differ_are_no_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What differs is named."""

    def build(source: Path, folder: Path, umask: int = -1, **environment: str) -> None:
        folder.mkdir(parents=True)
        (folder / "same.whl").write_text("x")
        (folder / "other.tar.gz").write_text(str(source))

    monkeypatch.setattr(release, "build", build)
    with pytest.raises(release.Failed, match=r"these differ: other\.tar\.gz"):
        release.build_twice(tmp_path / "dist")


@pytest.mark.slow
def test_the_wheel_tells_what_its_client_was_generated_from(built: Path, tmp_path: Path) -> None:
    """The digests of document, templates and generator, as sha256sum checks them in the checkout; an editable install has none."""
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/extra_metadata/generated-from.sha256")]
    told = dict(line.split("  ")[::-1] for line in archive.read(name).decode().splitlines())
    openapi = {each for each in (ROOT / "openapi").rglob("*") if each.suffix in (".yaml", ".py", ".jinja")}
    assert told.keys() == {each.relative_to(ROOT).as_posix() for each in {*openapi, ROOT / "scripts" / "generate.py"}}
    for path, digest in told.items():
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == digest, path
    editable = build.ProjectBuilder(ROOT).build("editable", tmp_path)
    assert not [each for each in zipfile.ZipFile(editable).namelist() if "generated-from" in each]


def test_a_release_is_named_after_its_version_and_its_repository() -> None:
    """Another tag, or a repository that the package does not lead to, is refused."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tag, repository = f"v{project['version']}", project["urls"]["Repository"]
    release.named(tag, repository)
    with pytest.raises(release.Failed, match="the tag is v9"):
        release.named("v9", repository)
    with pytest.raises(release.Failed, match=r"example\.com"):
        release.named(tag, "https://example.com")


@pytest.mark.parametrize(
    ("name", "told", "right"),
    [
        ("a", [{"license": {"id": "MIT"}}], True),
        ("a", [{"license": {"id": "BSD-3-Clause"}}, {"license": {"name": "License :: OSI Approved :: BSD License"}}], True),
        ("a", [{"license": {"name": "License :: OSI Approved :: BSD License"}}], True),
        ("a", [{"license": {"name": f"License :: OSI Approved :: {name}"}} for name in ("Apache Software License", "BSD License")], True),
        ("a", [{"license": {"name": f"License :: OSI Approved :: {name}"}} for name in ("GNU General Public License (GPL)", "BSD License")], False),
        ("a", [{"expression": "GPL-3.0-only OR MIT"}], True),
        ("a", [{"expression": "GPL-3.0-only AND MIT"}], False),
        ("a", [{"license": {"id": "MIT"}}, {"license": {"id": "GPL-3.0-only"}}], False),
        ("a", [{"license": {"name": "License :: Other/Proprietary License"}}], False),
        ("a", [], False),
        ("psycopg", [{"license": {"id": "LGPL-3.0-only"}}], True),
        ("a", [{"license": {"id": "LGPL-3.0-only"}}], False),
    ],
)  # fmt: skip
def test_a_licence_that_nobody_has_agreed_to_is_refused(
    tmp_path: Path, name: str, told: list[dict[str, Any]], right: bool
) -> None:
    """One of several to choose from is enough, of several that all hold each is looked at, and none is none."""
    (tmp_path / "bill.json").write_text(json.dumps({"components": [{"name": name, "licenses": told}]}))
    refused = release_licences.refused(release_licences.told(tmp_path / "bill.json"))
    assert bool(refused) != right
    assert all(each.startswith(f"{name}: ") for each in refused)


@pytest.mark.proof
def test_the_licences_of_what_the_package_brings_are_agreed_to(built: Path, tmp_path: Path) -> None:
    """Of each library of each extra, as pinned; the list of them has the package as what it is about, and no path of this machine."""
    (wheel,) = built.glob("*.whl")
    made = release_smoke.Environment(tmp_path, wheel, "all", PINS)
    release_licences.bill(made.python, tmp_path / "bill.json", 1_700_000_000)
    licences = release_licences.told(tmp_path / "bill.json")
    assert {"httpx", "attrs", "cyclopts", "dbos", "psycopg", "pymediainfo"} <= licences.keys()
    assert "useapi-runwayml" not in licences
    assert release_licences.refused(licences) == []
    assert str(tmp_path) not in (tmp_path / "bill.json").read_text()


def pythons() -> list[str]:
    """The Pythons from 3.11 to 3.13 on this machine: this one, those on the PATH, and pyenv's."""
    found = {f"3.{sys.version_info.minor}": sys.executable}
    for minor in (11, 12, 13):
        kept = sorted(
            Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/3.{minor}.*/bin/python")
        )
        for each in (shutil.which(f"python3.{minor}"), *map(str, kept)):
            if each and subprocess.run([each, "-c", ""], capture_output=True).returncode == 0:
                found.setdefault(f"3.{minor}", each)
    return list(found.values())


@pytest.mark.proof
@pytest.mark.parametrize("python", pythons())
def test_every_module_imports_on_every_python(python: str, tmp_path: Path) -> None:
    """The generated client and the public names, warnings being errors."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(';');"
        "import importlib, pkgutil, useapi_runwayml_api as a, useapi_runwayml as b;"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(a.__path__, a.__name__ + '.')];"
        "[getattr(b, n) for n in b.__all__]; print('ok')"
    )
    libraries = {str(Path(module.__file__).parents[1]) for module in (attrs, httpx)}
    here = ";".join([str(ROOT / "generated"), str(ROOT / "src"), *libraries])
    done = subprocess.run([python, "-W", "error", "-c", code, here], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "ok\n", done.stderr


def run_demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "useapi_runwayml", "demo", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_the_demo_leaves_a_playable_file(tmp_path: Path) -> None:
    """With its own clip: progress up to the end, and the file is the clip, whole."""
    done = run_demo("--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "out").iterdir()
    assert str(path) in done.stdout
    assert path.read_bytes() == (ROOT / "src/useapi_runwayml/cli/clip.mp4").read_bytes()
    assert path.read_bytes()[4:8] == b"ftyp"
    assert "RUNNING" in done.stdout
    assert "SUCCEEDED\n" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 100


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.mp4", "no such file"),
        (".", "folder"),
        ("text.txt", "media type"),
        ("fake.mp4", "no video/mp4"),
        ("empty.mp4", "empty"),
    ],
)
@pytest.mark.slow
def test_the_demo_takes_bad_input_in_a_line(tmp_path: Path, name: str, told: str) -> None:
    """A missing file, a folder, no video: one clear line on stderr, a non-zero exit, no traceback."""
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "fake.mp4").write_text("this is no video")
    (tmp_path / "empty.mp4").touch()
    done = run_demo(name, cwd=tmp_path)
    assert done.returncode not in (0, 2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there")
@pytest.mark.slow
def test_the_demo_without_space_says_so(tmp_path: Path) -> None:
    """A disk that takes no more: one clear line, and nothing partial is left."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from useapi_runwayml.__main__ import main; sys.argv[1:] = ['demo', '--output', 'out']; main()"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it writes too
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=bare)
    assert done.returncode == 1
    assert "Cannot write" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_no_tracked_file_names_a_registry() -> None:
    """Neither a package registry's address nor a lock file that would record one."""
    hosts = re.compile("|".join(["py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.org", "deb" + r"ian\.org"]))
    for path in tracked():
        assert path.name != "uv.lock"
        assert not hosts.search(path.read_bytes().decode("utf-8", "replace")), path


def test_all_pins_have_hashes() -> None:
    """Every requirement is pinned exactly, and each pin has hashes."""
    for path in (ROOT / "requirements").glob("*.txt"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            assert re.match(r"[\w.\[\]-]+==\S+", block), block
            assert "--hash=sha256:" in block, block


def test_the_readme_is_short() -> None:
    """A sentence, two commands, an example, links: at most 100 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


@pytest.mark.proof
def test_the_contract_suite_passes_against_the_installed_wheel(built: Path, tmp_path: Path) -> None:
    """The same suite, with the wheel's files in the place of the checkout's; few examples of each law do, to show that the files are the same."""
    (wheel,) = built.glob("*.whl")
    installed = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(installed)]
    subprocess.run([*install, "--disable-pip-version-check", str(wheel)], check=True, cwd=tmp_path)
    shutil.copytree(ROOT / "contract_tests", tmp_path / "contract_tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "contract_tests" / "test_origin.py").write_text(
        "import useapi_runwayml, useapi_runwayml_api\n\n\n"
        "def test_it_is_the_wheel() -> None:\n"
        "    for package in (useapi_runwayml, useapi_runwayml_api):\n"
        f"        assert str(package.__file__).startswith({str(installed)!r})\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "RUNWAY_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "contract_tests"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(installed), "HYPOTHESIS_PROFILE": "mutants"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
