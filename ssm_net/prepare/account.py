"""The account of a ``prepare``: what was found, taken and left out of each product, and what was missing in it."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from rich.markup import escape

from ssm_net.ingest.account import Account, Remark
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.flag_costs import Cost
from ssm_net.prepare.day_plan import DayPlan
from ssm_net.prepare.products import CubeProducts, known_product
from ssm_net.prepare.read_day import ObservedDay

MISSING = {
    "ssm": "cells without an observation",
    "lst_day": "pixels not seen by day",
    "lst_night": "pixels not seen by night",
}


@dataclass(frozen=True)
class DayAccount:
    """What one day was made of: the ``files`` taken, the ``problems`` of those left out, the fraction ``missing`` in
    each kind of observation that there was, ``remarks`` of its readers, and what quality ``flags`` cost."""

    day: dt.date
    files: tuple[str, ...]
    problems: tuple[str, ...]
    missing: Mapping[str, float]
    remarks: tuple[Remark, ...]
    flags: Mapping[str, Cost] = field(default_factory=dict)

    @classmethod
    def of(cls, observed: ObservedDay) -> DayAccount:
        fields = {"ssm": np.fmax.reduce([one.ssm for one in observed.all_ssm]) if observed.all_ssm else None}
        fields |= {f"lst_{k}": None if pair is None else pair[0] for k, pair in observed.lst.items()}
        missing = {kind: float(np.isnan(values).mean()) for kind, values in fields.items() if values is not None}
        return cls(observed.day, observed.files, observed.problems, missing, observed.remarks, observed.flags)


def found_by(account: Account, products: CubeProducts, plans: Mapping[dt.date, DayPlan]) -> Account:
    """The account with the days of the plan that each product has files on, and those products that are not used."""
    used = products.names()
    found, unused = {}, []
    for name, of_product in account.found.items():
        if name not in used and of_product.files:
            role = known_product(name).role
            others = getattr(products, role)
            what = f"the {role} of this cube is {', '.join(others)}" if others else f"this cube has no {role}"
            unused.append(Remark(name, what, things="products", expected=True))
        days = sum(any(g.product == name for g in _granules(plan)) for plan in plans.values())
        found[name] = replace(of_product, days=days, asked=len(plans))
    return Account(found, account.remarks).with_remarks(unused)


def with_days(
    account: Account, products: CubeProducts, plans: Mapping[dt.date, DayPlan], made: Sequence[DayAccount]
) -> Account:
    """The account with the days that were ``made``: files taken, what was missing, and the remarks of readers."""
    names = {name for day in made for name in day.files}
    taken: dict[str, set[str]] = defaultdict(set)
    for day in made:
        for granule in _granules(plans[day.day]):
            versions = {granule.path.name, *(path.name for path in granule.older)}
            taken[granule.product] |= versions & names
    found = dict(account.found)
    for name, of_product in account.found.items():
        missing = {words: float(np.mean(values)) for kind, words in MISSING.items()
                   if name in getattr(products, kind.split("_")[0])
                   and (values := [day.missing[kind] for day in made if kind in day.missing])
                   and (kind == "ssm" or known_product(name).layer(kind) is not None)}  # fmt: skip
        found[name] = replace(of_product, taken=len(taken[name]), missing=missing if taken[name] else {})
    of_readers = (r for day in made for r in day.remarks)
    return Account(found, account.remarks).with_remarks((*of_readers, *_of_flags(made)))


def _of_flags(made: Sequence[DayAccount]) -> Iterator[Remark]:
    """What quality flags cost on all days, a line a flag."""
    counts, values = Counter[str](), Counter[str]()
    for day in made:
        counts.update({flag: cost.count for flag, cost in day.flags.items()})
        values.update({flag: cost.values for flag, cost in day.flags.items()})
    for flag, count in counts.items():
        product, words = flag.split(": ", 1)
        yield Remark(product, f"{words}, {count / max(values[flag], 1):.1%} of them on these days", count=count,
                     things="values with a flag", left_out=False, expected=True)  # fmt: skip


def account_lines(account: Account) -> Iterator[str]:
    """The account as text for a rich console; nothing where nothing was found or left out."""
    lines = [escape(line) for line in account.lines()]
    if lines:
        yield "[bold]account of raw/[/]"
        yield from lines


def _granules(plan: DayPlan) -> Iterator[Granule]:
    for granules in plan.granules.values():
        yield from granules
    for interval in plan.rain:
        yield from interval.granules
