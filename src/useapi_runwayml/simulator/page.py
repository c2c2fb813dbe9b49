"""The page at /: tasks, slots, credits and requests, for a person. Server-rendered; everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from . import admin
from .shapes import moment
from .wire import Answer

if TYPE_CHECKING:
    from .service import Simulator

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; --accent: #4a6cf7; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p.time { color: var(--soft); margin: .2rem 0 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; } th { color: var(--soft); font-weight: 500; white-space: nowrap; }
td.id { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; } td.text { max-width: 24rem; overflow-wrap: anywhere; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; } progress { accent-color: var(--accent); width: 7rem; }
.bad { color: #c0392b; } .good { color: #2e8b57; } p.empty { color: var(--soft); }
"""
SHOWN = 100


def render(sim: Simulator, now: float) -> Answer:
    """The page as it is now."""
    with sim.lock:
        state = admin.state(sim, now)
        requests = list(sim.requests)[-SHOWN:][::-1]
    accounts = _table(
        ("Account", "Slots", "Credits spent"),
        (
            (
                ("", a["email"]),
                ("number", f"{a['slots']['busy']} of {a['slots']['all']}"),
                ("number", f"{a['credits']['spent']} of {a['credits']['all']}"),
            )
            for a in state["accounts"]
        ),
    )
    tasks = _table(
        ("Task", "Status", "Progress", "Credits", "Prompt", "replyRef"),
        (
            (
                ("id", t["taskId"]),
                (_tone(t["status"]), t["status"]),
                ("progress", t["progress"]),
                ("number", "unknown" if t["cost"] is None else t["cost"]),
                ("text", t["prompt"][:300]),
                ("text", t["replyRef"] or ""),
            )
            for t in state["tasks"][:SHOWN]
        ),
    )
    calls = _table(
        ("When", "Request", "Operation", "Answer"),
        (
            (
                ("number", moment(seen.at)[11:23]),
                ("id", f"{seen.method} {seen.path}"),
                ("", seen.operation or "—"),
                (
                    "bad" if seen.status >= 400 or seen.note else "",
                    f"{seen.status or ''} {seen.note.replace('_', ' ')}".strip(),
                ),
            )
            for seen in requests
        ),
    )
    more = len(state["tasks"]) - SHOWN
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runway simulator</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>
<h1>Runway simulator</h1><p class="time">{escape(moment(now))} simulated · nothing here is real, nothing costs credits · reload to refresh</p>
<h2>Accounts</h2>{accounts}
<h2>Tasks{f" (the newest {SHOWN}; {more} more)" if more > 0 else ""}</h2>{tasks}
<h2>Requests</h2>{calls}
</body></html>"""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Answer(200, headers, body.encode())


def _tone(status: str) -> str:
    return {"SUCCEEDED": "good", "FAILED": "bad", "CANCELLED": "bad"}.get(status, "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[tuple[str, object]]]) -> str:
    lines = ["".join(_cell(kind, value) for kind, value in row) for row in rows]
    if not lines:
        return '<p class="empty">None yet.</p>'
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _cell(kind: str, value: object) -> str:
    if kind == "progress":
        shown = "" if value is None else f'<progress max="1" value="{value}"></progress>'
        return f"<td>{shown}</td>"
    return f'<td class="{kind}">{escape(str(value).encode(errors="replace").decode())}</td>'
