"""The GPU benchmark at its smallest, on the CPU: each section gives its numbers, and a budget that is short skips."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import gpu  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu")


def call(folder: Path, *more: str) -> tuple[int, dict]:
    code = gpu.main([str(folder), "--size", "smoke", "--device", "cpu", "--results", str(folder), *more])
    return code, json.loads((folder / "gpu.json").read_text())


@pytest.mark.slow
def test_every_section_gives_its_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = call(folder, "--commit", "abc")
    sections = report["sections"]
    assert code == 0 and report["failed"] == {} and report["skipped"] == [] and set(sections) == set(gpu.SECTIONS)
    assert report["commit"] == "abc" and report["command"].startswith("python bench/gpu.py FOLDER")
    assert report["machine"]["torch"] and report["device"] == "cpu"
    for precision in ("float32", "bfloat16"):
        assert sections["training step"][precision]["samples a second"] > 0
        assert sections["pretraining step"][precision]["worlds x epochs in ten minutes"] > 0
        assert sections["network alone"][precision]["days a second"] > 0
    assert sections["agreement"]["float32"] == {"soil moisture": 0.0, "standard error": 0.0}
    assert 0 < report["values"]["largest difference from the CPU, m3 m-3"] <= 1e-3
    for name in ("memory", "the disk"):
        assert (
            sections[f"pipeline from {name}"]["mapped, part"] == 1
            and f"pipeline from {name} / network alone" in report["values"]
        )
    printed = capsys.readouterr().out
    assert "worlds x epochs in ten minutes" in printed and ">= 4.0" in printed


def test_what_does_not_fit_the_budget_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = call(folder, "--budget", "0", "--check")
    assert report["skipped"] == list(gpu.SECTIONS) and report["sections"] == {} and code == 1
    assert "network alone, days a second: not measured" in report["missed"]
    assert "not begun, within 0 seconds: agreement" in capsys.readouterr().out


def test_a_section_that_fails_costs_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(setup: gpu.SetUp) -> gpu.Numbers:
        raise RuntimeError("CUDA out of memory")

    def agreement(setup: gpu.SetUp) -> gpu.Numbers:
        return {precision: {"soil moisture": 0.0} for precision in gpu.gpu_sections.PRECISIONS}

    sections = {"agreement": (agreement, 0.0), "country": (out_of_memory, 0.0),
                "network alone": gpu.SECTIONS["network alone"]}  # fmt: skip
    monkeypatch.setattr(gpu, "SECTIONS", sections)
    code, report = call(folder)
    assert code == 1 and "CUDA out of memory" in report["failed"]["country"]
    assert set(report["sections"]) == {"agreement"} and report["skipped"] == ["network alone"]
