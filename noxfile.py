"""The fast tier with the libraries as they are in the field: the lowest versions that are declared, and the newest, on every Python that is there.

nox                                  all of them
nox -s "libraries-3.11(lowest)"      one; pytest's arguments come after --

It needs uv, as nox's backend, and an index of packages; the tools of the tests are as requirements/dev.in has them.
"""

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
@nox.parametrize("which", [nox.param(each, id=each) for each in RESOLUTIONS])
def libraries(session: nox.Session, which: str) -> None:
    """The fast tier. Schemathesis needs newer libraries than we do, so that with the lowest its one file is left out."""
    pins = f"{session.create_tmp()}/libraries.txt"
    chosen = ["--resolution", RESOLUTIONS[which], "--all-extras", "--python-version", str(session.python)]
    session.run_install("uv", "pip", "compile", "-q", *chosen, "pyproject.toml", "-o", pins, external=True)
    session.install("-r", "requirements/dev.in")
    session.install("-r", pins)
    session.install("--no-deps", "--no-build-isolation", "-e", ".")
    without = []
    if which == "lowest":
        session.run("uv", "pip", "uninstall", "-q", "schemathesis", external=True)
        without = ["--ignore", "contract_tests/test_schemathesis.py"]
    session.run("uv", "pip", "list", external=True)
    fast = ["-q", "-n", "2", "--dist", "loadgroup", "-m", "not slow and not proof"]
    session.run("python", "-m", "pytest", *fast, *without, *session.posargs)
