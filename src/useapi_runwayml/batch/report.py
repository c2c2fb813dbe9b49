"""The report of a batch as a page: each clip before and after, side by side."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .._seam import counted
from .telling import BatchRow

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.4rem} .sum{color:#555} article{border-top:1px solid #ddd;padding:1rem 0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1rem}
video{width:100%;max-height:22rem;background:#111;border-radius:6px} figure{margin:0} figcaption{color:#555;font-size:.85rem}
.prompt{white-space:pre-wrap;overflow-wrap:anywhere} .facts{color:#555;font-size:.85rem;overflow-wrap:anywhere}
.state{font-weight:600} .done{color:#17693a} .failed,.uncertain{color:#a11} .none{padding:3rem 1rem;background:#f3f3f3;text-align:center}
@media (prefers-color-scheme:dark){body{color:#eee;background:#161616}article{border-color:#333}.sum,.facts,figcaption{color:#aaa}
.none{background:#222}.done{color:#6c9}.failed,.uncertain{color:#f88}}
"""

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8">'


def write(path: Path, text: str) -> None:
    """Puts a page in the place of an older one, or of nothing: FileExistsError for any other file, which may be a clip or a list of jobs."""
    if path.is_file():  # no pipe, which nobody can look into before
        with path.open("rb") as file:
            if (head := file.read(len(HEAD))) and head != HEAD.encode():
                raise FileExistsError(17, "it is no report, and is not replaced", str(path))
    path.write_text(text, encoding="utf-8")


def counts(rows: Sequence[BatchRow]) -> str:
    """Such as `3 done, 1 failed`."""
    return ", ".join(f"{number} {state}" for state, number in Counter(each.state for each in rows).most_common())


def page(rows: Sequence[BatchRow], beside: Path) -> str:
    """The page, whose links are relative to the folder in which it lies."""
    articles = "\n".join(_article(each, beside) for each in rows)
    return (
        f'{HEAD}<meta name="viewport" content="width=device-width">'
        f"<title>Batch report</title><style>{STYLE}</style><h1>Batch report</h1>"
        f'<p class="sum">{counted(len(rows), "clip")}: {html.escape(counts(rows))}</p>\n{articles}\n</html>\n'
    )


def _article(row: BatchRow, beside: Path) -> str:
    text = html.escape
    known = {
        "seed": row.seed,
        "took": None if row.seconds is None else f"{row.seconds:g} s",
        "bytes": row.bytes,
        "task": row.task_id,
        "attempt": row.attempt if row.attempt > 1 else None,
    }
    facts = " · ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    why = f'<p class="state {text(row.state)}">{text(row.why)}</p>' if row.why else ""
    before = _figure(row.video, "before", beside)
    after = _figure(row.output, "after", beside)
    return (
        f'<article><p><span class="state {text(row.state)}">{row.row}. {text(row.state)}</span></p>'
        f'<p class="prompt">{text(row.prompt)}</p>{why}<div class="pair">{before}{after}</div>'
        f'<p class="facts">{text(facts)}</p></article>'
    )


def _figure(path: str, told: str, beside: Path) -> str:
    if not Path(path).is_file():
        return f'<figure><div class="none">no video {told}</div><figcaption>{html.escape(path)}</figcaption></figure>'
    try:
        link = quote(os.path.relpath(path, beside).replace(os.sep, "/"))
    except ValueError:  # another drive
        link = Path(path).as_uri()
    return (
        f'<figure><video controls muted loop preload="metadata" src="{html.escape(link)}"></video>'
        f"<figcaption>{told}: {html.escape(Path(path).name)}</figcaption></figure>"
    )
