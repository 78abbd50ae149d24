"""Pieces of the report's page as text: tables, figures, tiles."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ssm_net.evaluate.metrics.scores import PRODUCT
from ssm_net.evaluate.report.tables import Row, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(fig: Figure, alt: str, caption: str = "", dpi: int = 130) -> str:
    """The figure inside the page, as PNG."""
    file = io.BytesIO()
    # Without the version and date the same scores give the same page.
    fig.savefig(file, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})
    data = base64.b64encode(file.getvalue()).decode()
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    image = f'<img loading="lazy" alt="{escape(alt)}" src="data:image/png;base64,{data}">'
    return f'<figure><div class="scroll">{image}</div>{text}</figure>'


def section(anchor: str, title: str, about: str, *content: str) -> str:
    head = f'<h2 id="{anchor}">{escape(title)}</h2><p class="about">{escape(about)}</p>'
    return f"<section>{head}{''.join(content)}</section>"


def table(rows: Sequence[Row], columns: dict[str, tuple[str, int]], key: str) -> str:
    """``columns`` maps a row's key to its heading and digits; the column ``key`` names the row."""
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in columns.values())
    body = []
    for row in rows:
        cells = "".join(_cell(row.get(name), digits) for name, (_, digits) in columns.items())
        body.append(f"<tr{_ours(row.get(key))}>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _cell(value: Any, digits: int) -> str:
    kind = ' class="text"' if isinstance(value, str) else ""
    return f"<td{kind}>{escape(number(value, digits))}</td>"


def _ours(name: Any) -> str:
    return ' class="ours"' if name == PRODUCT else ""


def comparison(
    rows: Sequence[Row], metric: str, title: str, about: str, *, digits: int = 4, target: float | None = None
) -> str:
    """A card with one metric: a row a method, a column a stratum; the best of each column is marked.

    ``target`` is the value to be nearest to; without one the smallest is best.
    """
    strata = list(dict.fromkeys(r["stratum"] for r in rows))
    methods = list(dict.fromkeys(r["method"] for r in rows))
    value = {(r["method"], r["stratum"]): r[metric] for r in rows}
    best = {}
    for s in strata:
        known = {m: value[m, s] for m in methods if value.get((m, s)) is not None}
        if known:
            best[s] = min(known, key=lambda m: abs(known[m] - (target or 0.0)))
    head = "".join(f"<th>{escape(s)}</th>" for s in strata)
    body = ""
    for m in methods:
        cells = "".join(
            f"<td{' class=best' if best.get(s) == m else ''}>{number(value.get((m, s)), digits)}</td>" for s in strata
        )
        body += f"<tr{_ours(m)}><td>{escape(m)}</td>{cells}</tr>"
    return (
        f'<div class="card"><h3>{escape(title)}</h3><p>{escape(about)}</p><div class="scroll"><table><thead><tr>'
        f"<th></th>{head}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def tiles(items: Sequence[tuple[str, str, str]]) -> str:
    """Big numbers: (number, what it is, what to set it beside)."""
    one = (
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(what)}</span><small>{escape(beside)}</small></div>'
        for big, what, beside in items
    )
    return f'<div class="tiles">{"".join(one)}</div>'


def note(text: str) -> str:
    return f'<div class="note">{escape(text)}</div>'


def facts(items: dict[str, Any]) -> str:
    body = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in items.items())
    return f"<dl>{body}</dl>"
