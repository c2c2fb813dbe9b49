#!/usr/bin/env python3
"""scripts/release.py [FOLDER]: makes what a release consists of, in dist/ unless said otherwise, and holds it to what it should be.

Sdist and wheel, built twice with the same bytes; their metadata and contents; each extra alone in an empty environment; the licences of what they
bring, and the list of that. `scripts/release.py --named TAG REPOSITORY` only checks that the package calls itself so.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import release_licences
import release_smoke
from release_smoke import Failed

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    parser.add_argument("--named", nargs=2, metavar=("TAG", "REPOSITORY"))
    parser.add_argument("--constraints", type=Path, help="versions of libraries to take; the newest unless given")
    arguments = parser.parse_args()
    try:
        if arguments.named:
            named(*arguments.named)
        else:
            release(arguments.folder, arguments.constraints)
    except (Failed, subprocess.CalledProcessError) as error:
        print(f"scripts/release.py: {error}", file=sys.stderr)
        return 1
    return 0


def release(folder: Path, constraints: Path | None) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    print("== built twice, the same bytes", flush=True)
    wheel, sdist = build_twice(folder.resolve())
    print("== metadata and contents", flush=True)
    look_at(wheel, sdist)
    print("== without an extra", flush=True)
    release_smoke.bare(wheel, constraints)
    for extra in release_smoke.smoke(wheel, list(release_smoke.COMMANDS), constraints):
        print(f"== [{extra}] alone", flush=True)
    print("== licences", flush=True)
    with tempfile.TemporaryDirectory() as made:
        libraries = folder / f"{wheel.name.removesuffix('-py3-none-any.whl')}.cdx.json"
        release_licences.bill(
            release_smoke.Environment(Path(made), wheel, "all", constraints).python, libraries, epoch()
        )
    licences = release_licences.told(libraries)
    print(*(f"  {name}: {', '.join(found)}" for name, found in licences.items()), sep="\n")
    if refused := release_licences.refused(licences):
        raise Failed("nobody has agreed to these licences yet (scripts/release_licences.py):\n" + "\n".join(refused))
    for path in sorted(folder.iterdir()):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


def build_twice(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist; the second time from a copy elsewhere, by somebody in another time zone whose files are for himself alone."""
    with tempfile.TemporaryDirectory() as elsewhere:
        build(ROOT, folder)
        build(copied(Path(elsewhere) / "copy"), Path(elsewhere) / "dist", umask=0o077, TZ="Pacific/Kiritimati")
        first, second = (
            {each.name: each.read_bytes() for each in made.iterdir()} for made in (folder, Path(elsewhere) / "dist")
        )
    if first != second:
        differ = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        raise Failed(f"built twice, these differ: {', '.join(differ)}")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def copied(folder: Path) -> Path:
    """What pyproject.toml says the sdist has, and what builds it, in a folder of its own."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = declared["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in (*listed, "pyproject.toml", "hatch_build.py", ".gitignore"):
        source, target = ROOT / name.lstrip("/"), folder / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def build(source: Path, folder: Path, umask: int = -1, **environment: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), **environment}
    done = subprocess.run(command, env=environment, umask=umask, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the build failed: {done.stdout}{done.stderr}")


def epoch() -> int:
    """When the commit was made, which all that is built is dated with; without git, a day that zip archives can tell."""
    if not (ROOT / ".git").exists():
        return 315532800
    return int(
        subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    )


def look_at(wheel: Path, sdist: Path) -> None:
    """What an index would refuse or show wrongly, and what should not be in a wheel."""
    for command in (["twine", "check", "--strict", str(wheel), str(sdist)], ["check_wheel_contents", str(wheel)]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{command[0]}: {done.stdout}{done.stderr}")


def named(tag: str, repository: str) -> None:
    """Failed unless the tag is the version's and the repository is the one that the metadata leads to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if tag != f"v{project['version']}":
        raise Failed(f"the tag is {tag}, and pyproject.toml has version {project['version']}")
    if repository != project["urls"]["Repository"]:
        raise Failed(f"this is {repository}, and pyproject.toml leads to {project['urls']['Repository']}: see there")


if __name__ == "__main__":
    sys.exit(main())
