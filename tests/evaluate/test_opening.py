"""What the page opens with: a verdict no surer than its interval, and every number with its interval and count."""

import pytest

from ssm_net.evaluate.report.opening import opening


def answer(question="better", low=-0.5, high=-0.3, **change):
    return {"question": question, "referee": "truth", "measure": "RMSE", "group": "all", "unit": "m³ m⁻³",
            "ours": 0.04, "ours low": 0.03, "ours high": 0.05, "coarse": 0.07, "change": -0.4, "change low": low,
            "change high": high, "change unit": "1", "count": 1234567, "counted": "pixel-days", "blocks of days": 6,
            "blocks of cells": 4} | change  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word", "tone"),
    [
        (-0.5, -0.3, "Yes", "good"),
        (0.1, 0.3, "No", "bad"),
        (-0.5, 0.1, "Not clear", "open"),
        (None, None, "Not clear", "open"),
    ],
)  # fmt: skip
def test_the_verdict_is_that_of_the_interval(low, high, word, tone):
    (view,) = opening([answer(low=low, high=high)], True, True)
    assert (view.verdict, view.tone) == (word, tone)
    assert "1\u202f234\u202f567 pixel-days" in view.sentences[0]


def test_referees_that_differ_are_named():
    (view,) = opening([answer(), answer(referee="stations", low=-0.2, high=0.2)], True, True)
    assert view.verdict == "Yes by the truth" and len(view.sentences) == 2


def test_without_a_referee_the_page_says_that_nobody_can_say():
    bare = answer("how sure", referee="coarse observation", measure="RMSD of footprint means", change=None, coarse=None)
    better, sure = opening([bare], False, True)
    assert better.verdict == "Cannot be said" and "stations=FOLDER" in better.sentences[0]
    assert sure.lines[0].interval == "0.0300 to 0.0500" and "not skill" in sure.sentences[0]
    assert "baselines=[bilinear]" in opening([], True, False)[0].sentences[0]


def test_every_line_has_its_interval_and_count():
    rows = [answer("when", group="clear"), answer("when", group="cloudy", low=-0.3, high=0.1), answer("how much")]
    _, when, much = opening(rows, True, True)
    assert [(line.label, line.number, line.interval) for line in when.lines] == [
        ("clear", "−40\u00a0%", "−50\u00a0% to −30\u00a0%"), ("cloudy", "−40\u00a0%", "−30\u00a0% to +10\u00a0%"),
    ]  # fmt: skip
    assert when.verdict == "Surely when clear" and when.lines[1].bar.low < 50 < when.lines[1].bar.high
    assert much.lines[0].number == "0.0400 m³ m⁻³ (0.0700)" and "pixel-days" in much.lines[0].basis
