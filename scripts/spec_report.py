#!/usr/bin/env python3
"""What of the OpenAPI document the contract tests exercise: operations by statuses by examples, and every parameter.

scripts/spec_report.py            runs the contract suite and reports
scripts/spec_report.py FOLDER     reports on a run that wrote to FOLDER (RUNWAY_RECORD=FOLDER); --summary leaves out the table

Fails when a documented answer, example, parameter, field, encoding, header or callback is exercised by no test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from contract_tests.recorder import examples_of  # noqa: E402
from useapi_runwayml.simulator.contract import Operation, load_contract  # noqa: E402

CONTRACT = load_contract()
Row = tuple[str, str]


def rows_of(operation: Operation) -> Iterator[Row]:
    """All that the document says of an operation: the recorder's key, and the words of the table."""
    shared = CONTRACT.data["paths"][operation.path].get("parameters", [])
    for each in (*shared, *operation.data.get("parameters", [])):
        parameter = CONTRACT.follow(each)
        yield f"parameter:{operation.id}:{parameter['name']}", f"{parameter['in']} {parameter['name']}"
    for kind in operation.bodies:
        yield f"body:{operation.id}:{kind}", f"body {kind}"
        for name in operation.properties:
            yield f"field:{operation.id}:{kind}:{name}", f"  field {name}"
    for status, reference in operation.responses.items():
        response = CONTRACT.follow(reference)
        for name in response.get("headers", {}):
            yield f"header:{operation.id}:{status}:{name.lower()}", f"{status} header {name}"
        for kind, content in response.get("content", {}).items():
            yield f"status:{operation.id}:{status}:{kind}", f"{status} {kind}"
            for example in examples_of(CONTRACT, content):
                yield f"example:{operation.id}:{status}:{kind}:{example}", f"  example {example}"
    for name, entry in operation.data.get("callbacks", {}).items():
        for methods in CONTRACT.follow(entry).values():
            content = methods["post"]["requestBody"]["content"]["application/json"]
            for example in examples_of(CONTRACT, content):
                yield f"callback:{name}:{example}", f"callback {name}, example {example}"


def read(folder: Path) -> dict[str, set[str]]:
    """The records of all workers of a run."""
    found: dict[str, set[str]] = {}
    for file in folder.glob("*.json"):
        for key, tests in json.loads(file.read_text(encoding="utf-8")).items():
            found.setdefault(key, set()).update(tests)
    return found


def report(found: dict[str, set[str]], *, table: bool) -> int:
    """Prints the table and its sum; gives the number of things that nothing exercises."""
    missing: list[str] = []
    lines: list[str] = []
    total = 0
    for operation in CONTRACT.operations.values():
        lines.append(f"\n{operation.id}  {operation.method} {operation.path}")
        for key, words in rows_of(operation):
            tests = sorted(test.partition("::")[2].partition("::")[0] for test in found.get(key, ()))
            total += 1
            if not tests:
                missing.append(f"{operation.id}: {words.strip()}")
            told = f"{len(tests):3} tests, such as {tests[0]}" if tests else "NOTHING"
            lines.append(f"  {words:42} {told}")
    if table:
        print("\n".join(lines))
    print(f"{total - len(missing)} of {total} statements of the document are exercised by a contract test")
    for each in missing:
        print(f"not exercised: {each}", file=sys.stderr)
    return len(missing)


def run(folder: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "contract_tests"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "RUNWAY_RECORD": str(folder)}).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        if options.folder is None and (code := run(Path(name))):
            return code
        return 1 if report(read(options.folder or Path(name)), table=not options.summary) else 0


if __name__ == "__main__":
    sys.exit(main())
