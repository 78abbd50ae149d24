"""What the page opens with: five questions, each with its verdict, and numbers with interval and count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ssm_net.evaluate.answers.answer import COARSE
from ssm_net.evaluate.report.tables import Row, format_number, with_minus

QUESTIONS = {
    "better": "Better than the coarse product?", "where": "Where?", "when": "When?", "how much": "By how much?",
    "how sure": "How sure?",
}  # fmt: skip
BAR_ENDS = 100.0  # per cent: a change of more than this to either side ends at the edge of its bar


@dataclass(frozen=True)
class Bar:
    """A change and its interval as places on a bar, 0 to 100, no change in the middle."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Line:
    """A number with its 95 % interval, what it rests on and, for a change, a bar."""

    label: str
    number: str
    interval: str
    basis: str
    bar: Bar | None = None


@dataclass(frozen=True)
class QuestionView:
    """A question, its ``verdict`` in a word or two with ``tone`` good, bad or open, and its lines."""

    key: str
    question: str
    verdict: str
    tone: str
    sentences: tuple[str, ...]
    lines: tuple[Line, ...]


def opening(rows: Sequence[Row], has_referee: bool, compared: bool) -> list[QuestionView]:
    """The questions of a page; ``rows`` are those of ``Answer.row``. ``has_referee`` is false without a truth and
    without a station that could be scored, ``compared`` without the coarse product."""
    of = {key: [row for row in rows if row["question"] == key] for key in QUESTIONS}
    views = [_better(of["better"], has_referee, compared)]
    for key in ("where", "when", "how much", "how sure"):
        lines = tuple(_line(row) for row in of[key])
        if lines:
            verdict, tone = _verdicts(key, of[key])
            views.append(QuestionView(key, QUESTIONS[key], verdict, tone, tuple(_remarks(key, of[key])), lines))
    return views


def _better(rows: Sequence[Row], has_referee: bool, compared: bool) -> QuestionView:
    key, question = "better", QUESTIONS["better"]
    if not rows:
        if has_referee and not compared:
            text = "The coarse product was not scored: baselines=[bilinear] adds it to the comparison."
        else:
            text = ("Nobody can say from what was given: there is neither a 1\u00a0km truth nor a station that could "
                    "be scored. Agreement with the coarse observation is no skill: every map that repeats it has it. "
                    "Give stations=FOLDER (or, in a synthetic world, truth=FILE).")  # fmt: skip
        return QuestionView(key, question, "Cannot be said", "open", (text,), ())
    tones = [_tone(row) for row in rows]
    word = {"good": "Yes", "bad": "No", "open": "Not clear"}[tones[0]]
    if len(set(tones)) > 1:
        word += f" by the {rows[0]['referee']}"
    return QuestionView(key, question, word, tones[0], tuple(_sentence(row) for row in rows), ())


def _tone(row: Row) -> str:
    """Good where the whole interval is on the side of the maps, bad where it is on the other, else open."""
    low, high = row.get("change low"), row.get("change high")
    if low is None or high is None:
        return "open"
    return "good" if high < 0 else "bad" if low > 0 else "open"


def _sentence(row: Row) -> str:
    place = "Against the 1\u00a0km truth" if row["referee"] == "truth" else "At stations"
    low, high = row.get("change low"), row.get("change high")
    interval = "no interval: a single block of days"
    if low is not None and high is not None:
        interval = f"95 % interval {_range(low, high)}"
    digits = 4 if row["referee"] == "truth" else 3
    values = f"{format_number(row['ours'], digits)} and {format_number(row['coarse'], digits)} {row['unit']}"
    return (f"{place}, the {row['measure']} of the maps is {_change_words(row['change'])} than that of the coarse "
            f"product interpolated to 1\u00a0km: {values} ({interval}; {_basis(row)}).")  # fmt: skip


def _change_words(change: float) -> str:
    return f"{abs(100 * change):.0f} % {'smaller' if change <= 0 else 'larger'}"


def _verdicts(key: str, rows: Sequence[Row]) -> tuple[str, str]:
    """The verdict of a card in a few words."""
    first = rows[0]
    if key == "where" and first["ours"] is not None:
        return f"In {round(first['ours'] * first['count'])} of {first['count']} {first['counted']}", "open"
    changes = [row for row in rows if row.get("change") is not None]
    if key == "when" and changes:
        referee = [row for row in changes if row["referee"] == changes[0]["referee"]]
        better = [row["group"] for row in referee if _tone(row) == "good"]
        if len(better) == len(referee):
            if any(_tone(row) != "good" for row in changes):
                return f"Always by the {changes[0]['referee']}", "open"
            return "Under every sky" if all(row["group"][0].islower() for row in referee) else "At all times", "good"
        return (f"Surely when {', '.join(better)}", "open") if better else ("Not clear at any time", "open")
    if key == "how much" and first.get("ours") is not None:
        number = _signed(first["change"]) if first.get("change") is not None else format_number(first["ours"], 4)
        return f"{first['measure']} {number}", "open"
    if key == "how sure" and first["referee"] == "truth" and first["ours"] is not None:
        low, high = first.get("ours low"), first.get("ours high")
        if low is not None and high is not None:
            return ("Too cautious" if low > 0.9 else "Too sure" if high < 0.9 else "As stated"), "open"
    return "", "open"


def _remarks(key: str, rows: Sequence[Row]) -> Iterator[str]:
    """What a reader needs to read the lines of a card."""
    if key == "when" and any(row.get("change") is not None for row in rows):
        yield "Change of the error against the coarse product; left of the middle the maps are better."
    if key == "how much":
        yield f"The maps, and in brackets the coarse product ({COARSE}) at the same pixels and days."
    if key == "how sure":
        if any(row["referee"] == "truth" for row in rows):
            yield "How much of the truth lies in the interval that the maps state: 90 % would be right."
        if any(row["referee"] == "coarse observation" for row in rows):
            yield "Agreement with the radiometer's own value is consistency, not skill."
        blocks = max(rows, key=lambda row: row["blocks of days"])
        if blocks["blocks of days"]:
            yield ("The intervals on this page are of 95 %. They come from drawing whole blocks of days and of "
                   "neighbouring cells, since their errors are alike: here "
                   f"{_count(blocks['blocks of days'], 'block')} of days and {blocks['blocks of cells']} of cells. "
                   "Few blocks make wide intervals.")  # fmt: skip
    stations = [row for row in rows if row["referee"] == "stations"]
    if stations and all(row["blocks of cells"] == 1 for row in stations):
        yield "All stations lie in one coarse cell: their numbers say nothing of other places."


def _line(row: Row) -> Line:
    unit = "" if row["unit"] == "1" else f" {row['unit']}"
    group = "" if row["group"] == "all" else row["group"]
    station = " at stations" if row["referee"] == "stations" else ""
    if row["question"] == "when" and row.get("change") is not None:
        label = f"{group}{station}"
        return Line(label, _signed(row["change"]), _interval(row, "change", percent=True), _basis(row), _bar(row))
    percent = row["measure"].startswith(("cells", "stations", "truth in", "thawed"))
    digits = 2 if unit == "" else 3 if station else 4
    ours, coarse = (with_minus(format_number(row.get(key), digits)) for key in ("ours", "coarse"))
    number = _percent(row["ours"]) if percent else ours + unit
    if row.get("coarse") is not None:
        number += f" ({coarse})"
    interval = _interval(row, "ours", percent, digits)
    if row.get("change") is not None:
        relative = row["change unit"] == "1" and row["unit"] != "1"
        change = _signed(row["change"]) if relative else with_minus(f"{row['change']:+.2f}")
        interval = f"change {change}, {_interval(row, 'change', relative, 2)}"
    name = row["measure"][:1].upper() + row["measure"][1:]
    return Line(name + (station if not row["measure"].startswith("stations") else ""), number, interval, _basis(row))


def _bar(row: Row) -> Bar | None:
    ends = [row.get(f"change{end}") for end in (" low", "", " high")]
    if any(value is None for value in ends):
        return None
    return Bar(*(min(max(50 + 50 * 100 * float(value) / BAR_ENDS, 0.0), 100.0) for value in ends if value is not None))


def _signed(change: float | None) -> str:
    return "–" if change is None else with_minus(f"{100 * change:+.0f}\u00a0%")


def _percent(part: float | None) -> str:
    return "–" if part is None or not math.isfinite(part) else f"{100 * part:.0f}\u00a0%"


def _range(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}"


def _interval(row: Row, name: str, percent: bool, digits: int = 2) -> str:
    low, high = row.get(f"{name} low"), row.get(f"{name} high")
    if low is None or high is None:
        return "counted, not estimated" if row["referee"] == "quality flags" else "no interval"
    if name == "change" and percent:
        return _range(low, high)
    if percent:
        return f"{_percent(low)} to {_percent(high)}"
    return with_minus(f"{low:.{digits}f} to {high:.{digits}f}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _basis(row: Row) -> str:
    return f"{row['count']:,} {row['counted']}".replace(",", "\u202f")
