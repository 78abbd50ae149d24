"""The account of raw/: what was found, taken and left out, product by product, with reasons.

A reader or a step of ``prepare`` adds to it with ``remark``; what is remarked on within ``collecting`` is kept there.
Remarks with the same words on the same product are shown as one line, so ``what`` and ``remedy`` hold no file names,
days or numbers: those go into ``file`` and ``count``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ssm_net.core.collector import Collector

EXAMPLES = 3  # file names in a line


@dataclass(frozen=True)
class Remark:
    """Something that a user should know of one file or one day of a product.

    ``what`` says it in words, ``file`` names the file (empty where there is none), ``detail`` holds the numbers of this
    file, ``count`` is the number of ``things`` that it concerns, and ``remedy`` what can be done. ``left_out``: the
    file is not used for it. A remark that is ``expected`` is shown in the account, and is no warning.
    """

    product: str
    what: str
    file: str = ""
    count: int = 1
    things: str = "files"
    remedy: str = ""
    left_out: bool = True
    expected: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Found:
    """What raw/ holds of a product: the number of usable ``files``, the ``days`` of those ``asked`` for that have one,
    and how many files were ``taken`` (None before they are read); ``missing``: words (``pixels not seen by day``) ->
    fraction, 0..1."""

    files: int = 0
    days: int = 0
    asked: int = 0
    taken: int | None = None
    missing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """What was found and taken of each product, and all remarks."""

    found: Mapping[str, Found] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def with_remarks(self, more: Iterable[Remark]) -> Account:
        """The same with ``more`` remarks; one that is there already is not repeated."""
        return Account(self.found, tuple(dict.fromkeys((*self.remarks, *more))))

    def warnings(self) -> list[str]:
        """A sentence for each kind of remark that is a warning."""
        return [_sentence(group) for group in _groups(self.remarks) if not group[0].expected]

    def lines(self) -> Iterator[str]:
        """The account as text, a line for each product with those of its remarks below."""
        groups = _groups(self.remarks)
        others = [group[0].product for group in groups if group[0].product not in self.found]
        for name in (*self.found, *dict.fromkeys(others)):
            yield f"  {name}" + (f": {_found(self.found[name])}" if name in self.found else "")
            for group in groups:
                if group[0].product == name:
                    yield f"    {_counted(group)}"


_REMARKS = Collector[Remark]("remarks")
collecting = _REMARKS.collecting


def remark(made: Remark) -> None:
    """Add a remark to those that are being collected; without a collector it is lost."""
    _REMARKS.add(made)


def _groups(remarks: Iterable[Remark]) -> list[list[Remark]]:
    """Remarks in the same words on the same product together, in the order of the first of each."""
    groups: dict[tuple[str, str, str, str], list[Remark]] = defaultdict(list)
    for one in dict.fromkeys(remarks):
        groups[one.product, one.what, one.things, one.remedy].append(one)
    return list(groups.values())


def _counted(group: list[Remark]) -> str:
    """``3 files left out: a monthly mean (a.nc, b.nc and 1 more)``."""
    first, total = group[0], sum(one.count for one in group)
    things = first.things.removesuffix("s") if total == 1 else first.things
    return f"{total:,} {things}{' left out' if first.left_out else ''}: {first.what}{_examples(group)}"


def _sentence(group: list[Remark]) -> str:
    first = group[0]
    return f"{first.product}: {_counted(group)}" + (f"; {first.remedy}" if first.remedy else "")


def _examples(group: list[Remark]) -> str:
    files = list(dict.fromkeys(one.file for one in group if one.file))
    if not files:
        return ""
    if group[0].detail:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f" ({group[0].file}: {group[0].detail}{more})"
    more = f" and {len(files) - EXAMPLES} more" if len(files) > EXAMPLES else ""
    return f" ({', '.join(files[:EXAMPLES])}{more})"


def _found(found: Found) -> str:
    days = f"files on {found.days} of {found.asked} days" if found.asked else f"files on {found.days} days"
    parts = [f"{found.files:,} file{'s' * (found.files != 1)} found", days]
    parts += [f"{found.taken:,} taken"] if found.taken is not None else []
    return ", ".join(parts) + "".join(f"; {part:.1%} of the {what}" for what, part in found.missing.items())
