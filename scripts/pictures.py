"""scripts/pictures.py [--check]: draws the pictures of the documentation as SVG, readable on light and on dark.

They go to docs/_static. --check writes nothing, and ends with 1 when a picture is not what this script draws.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "_static"
LETTER = 7.2  # pixels of a letter of 13 pixels, about
STYLE = """
  .back { fill: #ffffff; stroke: #d0d7de } .box { fill: #f2f5f9; stroke: #8793a1 } .good { fill: #e3f4e6; stroke: #3f8f4f }
  .bad { fill: #fdeaea; stroke: #b3494d } .key { fill: #e5edfd; stroke: #3b6fd4 } .line { stroke: #57606a; fill: none }
  .dashed { stroke-dasharray: 5 4 } .head { fill: #57606a } text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .small { font-size: 12px; fill: #57606a } .title { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #14181d; stroke: #363d46 } .box { fill: #22272e; stroke: #8b949e } .good { fill: #16321c; stroke: #57ab5a }
    .bad { fill: #3d1d20; stroke: #e5737a } .key { fill: #182b4d; stroke: #6c9df5 } .line { stroke: #9aa4af }
    .head { fill: #9aa4af } text { fill: #e6edf3 } .small { fill: #aab4bf }
  }
"""


class Picture:
    """A drawing that is added to, element by element."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def box(self, x: float, y: float, width: float, lines: str, kind: str = "box", height: float = 0) -> None:
        """A box whose first line is its title."""
        told = lines.split("\n")
        height = height or 20 + 18 * len(told)
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>')
        top = y + (height - 18 * len(told)) / 2 + 14
        for row, line in enumerate(told):
            self.text(x + width / 2, top + 18 * row, line, "title" if row == 0 else "small", "middle")

    def text(self, x: float, y: float, told: str, kind: str = "small", anchor: str = "start") -> None:
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(told)}</text>')

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """A line through the points, with a head at its end."""
        path = " L".join(f"{x} {y}" for x, y in points)
        more = " dashed" if dashed else ""
        self.parts.append(f'<path class="line{more}" d="M{path}" marker-end="url(#head)"/>')

    def svg(self) -> str:
        head = (
            '<marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path class="head" d="M0 0 L8 4 L0 8 z"/></marker>'
        )
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        back = f'<rect class="back" x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="10"/>'
        opened = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(self.title)}">'
        style = f"<style>{STYLE}</style>"
        return "\n".join(
            [
                opened,
                f"<title>{escape(self.title)}</title>",
                style,
                f"<defs>{head}</defs>",
                back,
                *self.parts,
                "</svg>",
                "",
            ]
        )


def sequence(title: str, who: Sequence[str], steps: Iterable[tuple[int, int, str]], gap: int = 230) -> str:
    """Who tells whom what, from top to bottom; dashed are answers, whose text begins with ←."""
    told = list(steps)
    width, height = gap * len(who) + 20, 84 + 38 * len(told)
    made = Picture(width, height, title)
    at = [gap * number + gap // 2 + 10 for number in range(len(who))]
    for x, name in zip(at, who, strict=True):
        made.parts.append(f'<path class="line" d="M{x} 52 L{x} {height - 16}" opacity="0.5"/>')
        made.box(x - 95, 14, 190, name, "key", 38)
    for row, (start, end, text) in enumerate(told):
        y = 84 + 38 * row
        text, is_answer = text.removeprefix("← "), text.startswith("← ")
        if start == end:
            wide = LETTER * len(text) + 24
            left = min(max(at[start] - wide / 2, 8), width - wide - 8)
            made.box(left, y - 16, wide, text, "box", 26)
        else:
            made.arrow((at[start], y), (at[end], y), dashed=is_answer)
            made.text((at[start] + at[end]) / 2, y - 6, text, "small", "middle")
    return made.svg()


def overview() -> str:
    made = Picture(860, 292, "What the package does: one paid request for a video, and no result lost")
    for row, told in enumerate(
        ("your program\nsync or async", "the command line\nrun, tasks, doctor", "a batch\n500 rows, many machines")
    ):
        made.box(20, 22 + 72 * row, 170, told)
        made.arrow((190, 50 + 72 * row), (232, 50 + 72 * row))
    made.parts.append('<rect class="key" x="234" y="18" width="392" height="212" rx="9"/>')
    made.text(430, 42, "useapi-runwayml", "title", "middle")
    for number, told in enumerate(
        ("upload\nwhole file", "create\none POST", "wait\nshared reads", "download\nwhole or not")
    ):
        made.box(244 + 97 * number, 58, 81, told)
        if number:
            made.arrow((229 + 97 * number, 86), (243 + 97 * number, 86))
    made.arrow((383, 114), (383, 142))
    made.box(246, 144, 368, "the answer is lost?\nlooked up by its replyRef, never sent again", "good")
    made.text(430, 220, "a task's id is on every error that follows", "small", "middle")
    made.arrow((626, 76), (664, 76))
    made.box(666, 44, 174, "useapi.net\nthe paid service", height=64)
    made.arrow((753, 108), (753, 132))
    made.box(666, 134, 174, "Runway\nGen-3 Alpha Turbo, Aleph", height=60)
    made.box(234, 244, 606, "or the simulator that comes with it: no account, no credits, faults on demand", "good", 34)
    made.arrow((560, 230), (560, 243), dashed=True)
    return made.svg()


def create() -> str:
    made = Picture(860, 500, "The life of a create")
    made.box(330, 16, 200, "intended\nparameters valid, has a replyRef")
    made.arrow((430, 72), (430, 102))
    made.box(350, 104, 160, "POST, once", "key", 40)
    made.box(20, 96, 220, "not sent\nno connection was ever made")
    made.arrow((350, 116), (241, 116))
    made.arrow((240, 136), (349, 136), dashed=True)
    made.text(295, 154, "max_retries", "small", "middle")
    made.box(620, 96, 220, "429: no slot\nwaits 10 to 30 s, or Retry-After")
    made.arrow((510, 116), (619, 116))
    made.arrow((620, 136), (511, 136), dashed=True)
    made.text(565, 154, "busy_timeout", "small", "middle")
    made.arrow((370, 144), (370, 190), (130, 190), (130, 222))
    made.box(20, 224, 220, "2xx with a task's id\naccepted", "good")
    made.arrow((490, 144), (490, 190), (730, 190), (730, 222))
    made.box(620, 224, 220, "refused, nothing was started\nevery other 4xx, and 596", "bad")
    made.arrow((430, 144), (430, 222))
    made.box(320, 224, 220, "anything else: unknown\nbroken line, time-out, 408, 5xx,\na 2xx without an id")
    made.arrow((430, 298), (430, 336))
    made.box(320, 338, 220, "look-up by replyRef\nscheduler and list of tasks,\nwithin lookup_timeout", "key")
    made.arrow((320, 370), (130, 370), (130, 420))
    made.text(225, 362, "one candidate: adopted", "small", "middle")
    made.arrow((130, 280), (130, 420))
    made.box(20, 422, 220, "Task\nits id is never lost again", "good")
    made.arrow((430, 412), (430, 420))
    made.box(320, 422, 220, "SubmissionUnknownError\nbears the replyRef", "bad")
    made.text(552, 446, "none, or two. Never sent again:", "small")
    made.text(552, 464, "tasks.find(reply_ref) decides later", "small")
    made.arrow((730, 280), (730, 336))
    made.box(620, 338, 220, "its typed error, at once", "bad", 40)
    return made.svg()


def waits() -> str:
    steps = [
        (0, 0, "wait(1): nobody leads, so it does"),
        (1, 1, "wait(2): parks"),
        (2, 2, "wait(3): parks"),
        (0, 3, "GET /tasks/ once, for all three"),
        (3, 0, "← 1 and 2 RUNNING, 3 SUCCEEDED"),
        (0, 2, "news: 3 has ended"),
        (0, 3, "GET /tasks/ once, for two"),
        (3, 0, "← 1 SUCCEEDED, 2 RUNNING"),
        (0, 1, "1 has ended: the lead passes on"),
        (1, 3, "GET /tasks/2: one alone asks for its own"),
        (3, 1, "← SUCCEEDED"),
    ]
    return sequence("How waits share reads", ("one caller", "another", "a third", "the service"), steps, 210)


def callback() -> str:
    steps = [
        (0, 1, "POST create: replyRef, signed replyUrl"),
        (1, 2, "POST replyUrl: the task, SUCCEEDED"),
        (2, 2, "method, signature, expiry, type, length"),
        (2, 1, "← 202, before anything else is done"),
        (2, 0, "wakes the wait"),
        (0, 1, "GET the task, once"),
        (1, 0, "← SUCCEEDED"),
        (2, 1, "GET the task, for on_change"),
        (2, 0, "on_change(task), again if it fails"),
    ]
    return sequence("A callback wakes a wait", ("your program", "the service", "CallbackApp"), steps, 280)


PICTURES: dict[str, Callable[[], str]] = {"overview": overview, "create": create, "waits": waits, "callback": callback}


def main(arguments: list[str]) -> int:
    stale = []
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.svg"
        if "--check" in arguments:
            stale += [] if path.exists() and path.read_text(encoding="utf-8") == draw() else [path.name]
        else:
            path.write_text(draw(), encoding="utf-8")
    if stale:
        print(f"Not as scripts/pictures.py draws them: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
