"""The tables of scores in the docs hold what the benchmarks wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))  # scripts, not a package
import docs_tables  # noqa: E402


def test_tables_of_the_docs_are_those_of_the_results() -> None:
    """A reader takes figures of other networks for those that ship."""
    in_pages = set()
    for page in docs_tables.pages():
        text = page.read_text(encoding="utf-8")
        in_pages |= {found[1] for found in docs_tables.TABLE.finditer(text)}
        assert docs_tables.renewed(text, docs_tables.RESULTS) == text, f"{page}: run python bench/docs_tables.py"
    assert in_pages == set(docs_tables.TABLES), "a table that stands in no page, or the other way round"


def test_a_table_is_replaced_and_the_text_around_it_stays() -> None:
    """What an author wrote around a table would be lost, or an old table would stay."""
    before = "Above.\n\n<!-- table lookahead_parts -->\n\n| old |\n|---|\n\n<!-- end -->\n\nBelow.\n"
    after = docs_tables.renewed(before, docs_tables.RESULTS)
    assert after.startswith("Above.\n\n<!-- table lookahead_parts -->\n\n| days ahead |")
    assert after.endswith("|\n\n<!-- end -->\n\nBelow.\n") and "old" not in after


def test_of_two_tables_the_first_may_be_new() -> None:
    """What stands between them would be lost."""
    new = "<!-- table lookahead_parts -->\n\n<!-- end -->"
    before = f"{new}\n\nBetween.\n\n<!-- table parts -->\n\n| old |\n\n<!-- end -->\n"
    after = docs_tables.renewed(before, docs_tables.RESULTS)
    assert "\n\nBetween.\n\n" in after and "old" not in after and after.count("<!-- end -->") == 2


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(SystemExit, match="no table familys: they are families"):
        docs_tables.renewed("<!-- table familys -->\n\n|\n\n<!-- end -->", docs_tables.RESULTS)
