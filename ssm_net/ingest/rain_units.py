"""Units of rain: from a stored number to mm over its interval."""

from __future__ import annotations

import re

# A factor to mm, of a depth of water; and seconds, of a time.
DEPTH = {"mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0,
         "m": 1000.0, "meter": 1000.0, "metre": 1000.0}  # fmt: skip
TIME = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400,
        "day": 86400}  # fmt: skip
WORDS = re.compile(r"\bof\b|\bwater\b|\bequivalent\b|\bw\.e\.|\bwe\b|\bh2o\b", re.I)
PART = re.compile(r"(/?)\s*\(?(\d+(?:\.\d+)?)?\s*([a-z]+)?([-+]?\d+)?\)?\s*", re.I)


def mm_per_unit(units: str, seconds: float) -> float | None:
    """The factor from a number in ``units`` to mm over an interval of ``seconds``; ``None`` where they are not those of
    a depth of water, a mass of it on an area, or a rate of either."""
    text = WORDS.sub("", re.sub(r"\bper\b", "/", units.replace("⁻", "-").replace("¹", "1").replace("²", "2")))
    text = re.sub(r"(?<=[a-z])[.](?=[a-z])|·|(?<!\*)\*(?!\*)", " ", text, flags=re.I).replace("**", "").replace("^", "")
    text, at, number, powers = text.strip(), 0, 1.0, dict[str, int]()
    while at < len(text):
        part = PART.match(text, at)
        if part is None or part.end() == at:
            return None
        at = part.end()
        sign, count, power = -1 if part[1] else 1, float(part[2] or 1), int(part[4] or 1)
        if part[3] is not None:
            unit = _known(part[3])
            if unit is None:
                return None
            powers[unit] = powers.get(unit, 0) + sign * power
            sign *= 1 if power > 0 else -1  # "3h-1" is a third of "h-1"
        number *= count**sign
    rates = {u: p for u, p in powers.items() if u in TIME and p}
    depth = {u: p for u, p in powers.items() if u not in TIME and p}
    if depth == {"kg": 1, "m": -2}:
        factor = 1.0
    elif len(depth) == 1 and next(iter(depth.values())) == 1 and next(iter(depth)) in DEPTH:
        factor = DEPTH[next(iter(depth))]
    else:
        return None
    if not rates:
        return number * factor
    if list(rates.values()) != [-1]:
        return None
    return number * factor * seconds / TIME[next(iter(rates))]


def _known(name: str) -> str | None:
    """The unit of a name as the tables have it."""
    if name in DEPTH or name in TIME or name == "kg":
        return name
    lower = name.lower().removesuffix("s") if len(name) > 2 else name.lower()
    return lower if lower in DEPTH or lower in TIME or lower == "kg" else None
