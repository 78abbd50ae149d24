"""Training steps and national days on a GPU: how fast they are, and that they give the numbers of the CPU.

    python bench/gpu.py FOLDER [--size full|smoke] [--device auto|cuda|cpu] [--budget 420] [--check]

FOLDER keeps two synthetic cubes (about 800 MB at full size; made once). Needs torch and what ssm_net depends on, no
network and no data. In one call of less than ``--budget`` seconds:

* a training step with prior=none and a pretraining step, the batch in memory, in float32 and bfloat16; how many worlds
  and epochs of pretraining ten minutes hold;
* the largest difference of soil moisture and of its standard error from the CPU in float32;
* a day of domain=china: the networks alone with their inputs on the device; and the whole pipeline of infer.py to a map
  in memory, from the cube in memory and from the disk. A single day is read again and again.

A section that would run over the budget is not begun; one that fails is reported, and the others go on. Numbers go to
bench/results/gpu.json after each section. --size smoke takes less than a minute on a CPU: it tests the script.
"""

from __future__ import annotations

import argparse
import functools
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gpu_sections
import torch
from gpu_sections import SIZES, Numbers, SetUp
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.cube.json_files import write_json
from ssm_net.infer.writer import choose_device

GOALS = {
    "network alone, days a second": (">=", 4.0),
    "pipeline from memory / network alone": (">=", 0.8),
    "largest difference from the CPU, m3 m-3": ("<=", 1e-3),
}  # on one H100 or H200
Section = Callable[[SetUp], Numbers]
# Each with the seconds that it takes at most at full size, on 16 processors with one such GPU.
SECTIONS: dict[str, tuple[Section, float]] = {
    "agreement": (gpu_sections.agreement, 40),
    "pretraining step": (gpu_sections.pretraining_step, 30),
    "training step": (gpu_sections.training_step, 30),
    "country": (gpu_sections.country_cube, 150),
    "network alone": (gpu_sections.network_alone, 30),
    "pipeline from memory": (functools.partial(gpu_sections.pipeline, in_memory=True), 45),
    "pipeline from the disk": (functools.partial(gpu_sections.pipeline, in_memory=False), 45),
}


def measured(setup: SetUp, section: Section) -> Numbers:
    """The numbers of a section, its seconds and what it held in memory at most, GiB."""
    on_gpu = setup.device.type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(setup.device)
    begun = time.perf_counter()
    numbers = section(setup)
    held = torch.cuda.max_memory_allocated(setup.device) / 2**30 if on_gpu else None
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {**numbers, "seconds of the section": time.perf_counter() - begun, "peak device memory, GiB": held,
            "peak memory of the process so far, GiB": process}  # fmt: skip


def judged(report: Mapping[str, Numbers]) -> dict[str, float]:
    """The values of ``GOALS``, of those sections that are there."""
    out = {}
    if "network alone" in report:
        network = report["network alone"]["bfloat16"]["days a second"]
        out["network alone, days a second"] = network
        for name in ("memory", "the disk"):
            if f"pipeline from {name}" in report:
                rate = report[f"pipeline from {name}"]["days a second"]
                out[f"pipeline from {name} / network alone"] = rate / network
    if "agreement" in report:
        differences = [report["agreement"][p] for p in gpu_sections.PRECISIONS]
        out["largest difference from the CPU, m3 m-3"] = max(max(d.values()) for d in differences)
    return out


def misses(values: Mapping[str, float]) -> list[str]:
    """Goals that are not reached; one without a value is none of them."""
    out = []
    for goal, (sign, limit) in GOALS.items():
        if goal not in values:
            out.append(f"{goal}: not measured")
        elif not (values[goal] >= limit if sign == ">=" else values[goal] <= limit):
            out.append(f"{goal} {values[goal]:.3g} is not {sign} {limit:g}")
    return out


def table(report: Mapping[str, Numbers], values: Mapping[str, float]) -> Table:
    out = Table(title="On one device", title_justify="left")
    for heading in ("", "value", "goal, H100 or H200"):
        out.add_column(heading, justify="right" if heading else "left")
    for section, numbers in report.items():
        for name, value in numbers.items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            for part, number in parts:
                label = f"{section}: {name}{', ' if part else ''}{part}"
                out.add_row(label, f"{number:.4g}" if isinstance(number, float) else str(number))
        out.add_section()
    for name, value in values.items():
        sign, limit = GOALS.get(name, ("", ""))
        out.add_row(name, f"{value:.4g}", f"{sign} {limit}")
    return out


def run(setup: SetUp, budget: float, save: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Sections in turn: their numbers, those skipped for want of time, those that failed and why."""
    begun, full = time.perf_counter(), setup.size == SIZES["full"]
    report: dict[str, Any] = {"sections": {}, "skipped": [], "failed": {}}
    for name, (section, expected) in SECTIONS.items():
        elapsed = time.perf_counter() - begun
        on_country = name == "network alone" or name.startswith("pipeline")
        if elapsed + (expected if full else 0) > budget or (on_country and "country" not in report["sections"]):
            report["skipped"].append(name)
            continue
        print(f"{elapsed:5.0f} s  {name}", flush=True)
        try:
            report["sections"][name] = measured(setup, section)
        except Exception:  # a lent machine is not lent twice: the other sections are worth having
            report["failed"][name] = traceback.format_exc()
            print(report["failed"][name], flush=True)
        save(report)
    return report | {"seconds": time.perf_counter() - begun}


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="keeps the cubes")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", default="auto", help="auto, cuda or cpu")
    parser.add_argument("--budget", type=float, default=420, help="seconds after which no section is begun")
    parser.add_argument("--commit", help="of the code, where it is not in a git checkout")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    args = parser.parse_args(words)
    args.folder.mkdir(parents=True, exist_ok=True)
    setup, file = SetUp(args.folder, choose_device(args.device), SIZES[args.size]), args.results / "gpu.json"
    origin = {"command": command_of("gpu.py", words, args.folder), "commit": args.commit or commit_of(ROOT),
              "machine": machine(), "device": setup.device.type, "size": args.size, "goals": GOALS}  # fmt: skip

    def save(report: Mapping[str, Any]) -> None:
        args.results.mkdir(parents=True, exist_ok=True)
        values = judged(report["sections"])
        write_json(file, {**origin, **report, "values": values, "missed": misses(values)})

    report = run(setup, args.budget, save)
    save(report)
    values = judged(report["sections"])
    console = Console(width=120)
    console.print(table(report["sections"], values))
    if report["skipped"]:
        console.print(f"not begun, within {args.budget:g} seconds: {', '.join(report['skipped'])}", soft_wrap=True)
    if report["failed"]:
        console.print(f"failed: {', '.join(report['failed'])}", soft_wrap=True)
    console.print(f"{report['seconds']:.0f} seconds. Numbers: {file}", soft_wrap=True)
    missed = misses(values)
    print("missed: " + "; ".join(missed) if missed else "all goals reached")
    return 1 if report["failed"] or (args.check and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
