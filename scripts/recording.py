"""scripts/recording.py [--check]: runs `useapi-runwayml demo` and draws what it prints as an SVG of a terminal, docs/_static/recording.svg.

--check writes nothing, and ends with 1 when the demo prints other lines than the picture shows. Ports, ids and percents are those
of no run: they differ each time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from html import escape, unescape
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "_static" / "recording.svg"
COMMAND = "useapi-runwayml demo"
WIDTH = 104
SECONDS = 0.45  # between two lines
SAME = (
    (r"http://[\d.]+:\d+", "http://127.0.0.1:8787"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"),
    (r"\S*/demo-output/", "demo-output/"),
    (r"RUNNING +\d+ ?%", "RUNNING 45%"),
    (r"PENDING +\d+ ?%", "PENDING 0%"),
)


def printed() -> str:
    """What the demo prints where no terminal is, with what differs from run to run made the same."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "useapi_runwayml", *COMMAND.split()[1:]]
        surroundings = {**os.environ, "PYTHONUTF8": "1"}
        done = subprocess.run(
            command, cwd=folder, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
    return same(done.stdout.decode())


def same(text: str) -> str:
    for what, other in SAME:
        text = re.sub(what, other, text)
    return text


def steady(text: str) -> list[str]:
    """The lines of which a run has each; which states of a task it sees on the way is chance, but for the last."""
    return [line for line in text.splitlines() if not re.match(r" +[A-Z]+ ", line) or "SUCCEEDED" in line]


def draw(text: str) -> str:
    """The terminal, whose lines come one after the other; at once for whoever wants less motion."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.assemble(("$ ", "bold green"), (COMMAND, "bold")))
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        told = Text.assemble((name + colon, "cyan"), rest) if re.match(r"\w+:", line) else Text(line, "yellow")
        console.print(told, soft_wrap=True)
    made = console.export_svg(title="useapi-runwayml", theme=MONOKAI, unique_id="recording")
    made = re.sub(r"\s*@font-face \{.*?\}", "", made, flags=re.DOTALL)  # fonts from elsewhere
    made = re.sub(
        r'(<text )(class="recording-r\d+"[^>]*clip-path="url\(#recording-line-(\d+)\)")',
        lambda found: f'{found[1]}style="animation-delay:{SECONDS * int(found[3]):.2f}s" {found[2]}',
        made,
    )
    motion = (
        "@keyframes come { from { opacity: 0 } to { opacity: 1 } }\n"
        "@media (prefers-reduced-motion: no-preference) { text[style] { animation: come 0.2s both } }\n"
    )
    made = made.replace("</style>", f"{motion}</style>", 1)
    made = re.sub(r"<!--.*?-->\s*", "", made, flags=re.DOTALL)
    return re.sub(r"(<svg[^>]*>)", rf"\1\n<desc>{escape(text)}</desc>", made, count=1).rstrip() + "\n"


def shown() -> str:
    """What the picture in the repository says that the demo prints."""
    found = re.search(r"<desc>(.*?)</desc>", PICTURE.read_text(encoding="utf-8"), re.DOTALL)
    return unescape(found[1]) if found else ""


def main(arguments: list[str]) -> int:
    text = printed()
    if "--check" not in arguments:
        PICTURE.write_text(draw(text), encoding="utf-8")
        return 0
    if steady(text) != steady(shown()):
        print(f"The demo prints other lines than {PICTURE.name} shows: run scripts/recording.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
