"""What whoever works on this project waits for: the client generated anew, and the contract suite."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5


def figures() -> list[tuple[str, float, float]]:
    """The generator with our templates beside the generator as it comes, in turn; and the suite, on one core."""
    return [
        ("generation / openapi-python-client with its own templates", generation(), 1.5),
        ("the contract suite, seconds of CPU", contract_suite(), 120),
    ]


def generation() -> float:
    import generate

    programs = str(Path(sys.executable).parent)
    found = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}  # it looks for ruff there
    with tempfile.TemporaryDirectory() as name:
        document = Path(name) / "document.json"
        document.write_text(json.dumps(generate.for_generator(generate.load_document())), encoding="utf-8")
        alone = [f"{programs}/openapi-python-client", "generate", "--path", str(document), "--meta", "none"]

        def seconds(*command: str) -> float:
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=found, cwd=name)
            return time.perf_counter() - begun

        return statistics.median(
            seconds(sys.executable, str(ROOT / "scripts" / "generate.py"), "--check")
            / seconds(*alone, "--output-path", f"{name}/{number}")
            for number in range(ROUNDS)
        )


def contract_suite() -> float:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "contract_tests"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return spent() - before
