"""Paths and names as they are typed on the command line, quoted so that Hydra's grammar takes them as they are.

Hydra reads a value as a small language: without quotes it refuses Chinese, brackets, commas, ``=``, ``#`` and ``~``.
The values of the keys below are text, never a list or a number, so they can be quoted for the user. Left to Hydra are
what the user quoted already, ``null``, what refers to other keys (``runs/${lr}``), and, in a sweep, functions such as
``range(1,9)``; a comma divides values there.
Source: Hydra 1.3 documentation, "Override grammar".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import expanduser

from hydra.core.override_parser.types import Quote, QuotedString

PATHS = ("raw", "cube", "run", "mosaics", "report", "truth", "stations", "prior", "worlds", "domain.boundary", "points",
         "areas", "basin", "to")  # fmt: skip
NAMES = ("domain.name", "domain_name", "names")
SWEEP = ("-m", "--multirun", "hydra.mode=MULTIRUN")
REFERS = re.compile(r"[A-Za-z0-9_/.:,${}+-]*\$\{[A-Za-z0-9_/.:,${}+-]*")  # to other keys, and needs no quotes
OF_HYDRA = re.compile(r"(?:choice|range|interval|glob|shuffle|sort|tag|extend_list)\(.*\)")


def quoted(words: Sequence[str]) -> list[str]:
    """The words of a command line, the values of paths and names among them quoted; ``~`` is the user's home."""
    sweep = bool(set(words) & set(SWEEP))
    return [_quoted(word, sweep) for word in words]


def _quoted(word: str, sweep: bool) -> str:
    key, equals, value = word.partition("=")
    bare = key.lstrip("+")
    if not equals or bare not in PATHS + NAMES or _is_hydras(value, sweep):
        return word
    texts = value.split(",") if sweep else [value]
    if bare in PATHS:
        texts = [expanduser(text) for text in texts]  # a folder ~x stays where there is no user x
    return f"{key}=" + ",".join(QuotedString(text, Quote.single).with_quotes() for text in texts)


def _is_hydras(value: str, sweep: bool) -> bool:
    quotes = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
    if quotes or value == "null" or REFERS.fullmatch(value):
        return True
    return sweep and (OF_HYDRA.fullmatch(value) is not None or value[:1] in ("'", '"'))
