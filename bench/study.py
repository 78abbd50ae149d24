"""A search over the settings of training from nothing, judged by the truth of a world that judges nothing else.

    python bench/study.py FOLDER [--trials 12] [--minutes 20] [--quick]

Needs optuna (pip install -c constraints.txt -e '.[sweep]'). Makes one world of family C (seed 21; bench/skill.py judges
A and B from seed 31 on), trains in it with settings composed as train.py composes them, and
chooses the next by TPE. What is told is the RMSE of the maps against the 1 km truth, since a smaller innovation is not
a better map; the first trial is the settings as they are. Everything stays in the folder, trials in study.db: the same
command goes on, a trial that was cut off from its last whole epoch. One process at a time. Writes
bench/results/study.json.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from judged_places import SIZES, Size
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table
from skill import flat

from ssm_net.cli import settings
from ssm_net.config import DomainConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import open_cube
from ssm_net.evaluate.daily_pass import EvaluationInputs, score_days
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import format_number, json_ready
from ssm_net.formats.truth import Truth
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate.run import simulate
from ssm_net.train.run import train

if TYPE_CHECKING:
    import optuna

FAMILY, SEED = "C", 21  # a world that bench/skill.py does not judge
QUICK = Size((68, 72, 772, 780), "2016-04-15", "2016-05-24")  # half the cells, two thirds of the days
WARM = 14  # days that teach the memory what the ground is like; they are mapped by nobody here
# Key to lowest and highest value, and whether the scale is logarithmic.
SPACE: dict[str, tuple[float, float, bool]] = {
    "lr": (1e-3, 2e-2, True),
    "weight_decay": (1e-3, 1.0, True),
    "subgrid": (0.05, 2.0, True),
    "model.dropout": (0.0, 0.3, False),
    "physics": (0.01, 1.0, True),
    "epochs": (8, 32, False),
    "beta": (0.0, 1.0, False),
}
FIRST_RANDOM = 5  # trials before the sampler believes its model


class Chooser(Protocol):
    """What is used of an optuna trial."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...
    def suggest_int(self, name: str, low: int, high: int) -> int: ...


def suggested(trial: Chooser) -> dict[str, float]:
    """The next settings to try."""
    return {
        key: trial.suggest_int(key, int(low), int(high)) if key == "epochs"
        else trial.suggest_float(key, low, high, log=log)
        for key, (low, high, log) in SPACE.items()
    }  # fmt: skip


def composed(cube: Path, run: Path, size: Size, values: dict[str, float]) -> TrainConfig:
    """What ``python train.py cube=CUBE run=RUN prior=none KEY=VALUE ..`` would train with."""
    patch = min(TrainConfig.patch, size.cells)
    words = [f"cube='{cube}'", f"run='{run}'", "prior=none", f"patch={patch}", f"seed={SEED}"]
    words += [f"{key}={value!r}" for key, value in values.items()]
    cfg = settings("train", words)
    assert isinstance(cfg, TrainConfig)
    return cfg


def as_they_are() -> dict[str, float]:
    """The defaults of what is searched."""
    cfg = composed(Path("CUBE"), Path("RUN"), QUICK, {})
    return {key: cfg.model.dropout if key == "model.dropout" else getattr(cfg, key) for key in SPACE}


def development_world(folder: Path, size: Size) -> Path:
    """The folder of the world, its cube prepared."""
    where: dict[str, Any] = {"start": size.start, "end": size.end, "domain": DomainConfig("bench", list(size.window))}
    simulate(SimulateConfig(str(folder / "raw"), seed=SEED, family=FAMILY, **where))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    prepare(PrepareConfig(str(folder / "raw"), str(folder / "cube.zarr"), workers=cores, **where))
    return folder


def judged(world: Path, home: Path, size: Size, values: dict[str, float]) -> dict[str, float]:
    """Train with these settings in ``home``, map all but the first days, and score the maps (m3 m-3)."""
    begun = time.perf_counter()
    trained = train(composed(world / "cube.zarr", home / "run", size, values))
    minutes = (time.perf_counter() - begun) / 60
    assert trained is not None
    cube = open_cube(world / "cube.zarr")
    first = str(cube.days[min(WARM, len(cube.days) - 1)])
    infer(InferConfig(str(cube.path), str(home / "mosaics"), run=str(home / "run"), start=first))
    maps = Mosaics.open(home / "mosaics", cube.domain)
    truth = Truth.open(world / "raw" / "truth.zarr", cube.domain)
    scores = flat(score_days(EvaluationInputs({PRODUCT: maps}, truth, cube), maps.days).scores, [PRODUCT])["network"]
    told = {k: scores[k] for k in ("RMSE", "RMSE clear", "RMSE cloudy", "sub-grid R", "sub-grid std ratio")}
    return told | {"innovation RMSE": trained.provenance["validation"]["innovation_rmse"], "minutes": round(minutes, 2)}


def opened(folder: Path) -> optuna.Study:
    """The study of the folder; trials that were cut off are waiting to go on."""
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{folder}/study.db", study_name="alone", load_if_exists=True)
    # A sampler that begins anew with the same seed would draw the same settings again.
    study.sampler = optuna.samplers.TPESampler(seed=SEED + len(study.trials), n_startup_trials=FIRST_RANDOM)
    if not study.trials:
        study.enqueue_trial(as_they_are())
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    known = {home_of(t) for t in study.trials if t.state != TrialState.FAIL}
    for trial in study.get_trials(states=[TrialState.FAIL]):
        if (home := home_of(trial)) not in known and set(trial.params) == set(SPACE):
            study.enqueue_trial(trial.params, user_attrs={"home": home})
            known.add(home)
    return study


def home_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> str:
    """The name of a trial's folder: one that goes on for another has that one's."""
    return str(trial.user_attrs.get("home", f"trial-{trial.number:03d}"))


def importance(study: optuna.Study) -> dict[str, float]:
    """Part of the variance among the trials that each setting explains; of few trials it says little."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    try:
        return {k: round(v, 3) for k, v in get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator()).items()}  # fmt: skip
    except (RuntimeError, ValueError):  # too few trials, or all alike
        return {}


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """The trials, best first."""
    about = "RMSE and innovation RMSE in m3 m-3; trial 0: the settings as they are; min: of training"
    table = Table(title=f"Family {FAMILY}, seed {SEED}, from nothing", caption=about,
                  title_justify="left", caption_justify="left")  # fmt: skip
    scores = {"RMSE": ("RMSE", 4), "innovation RMSE": ("innov.", 4), "sub-grid R": ("sub R", 3), "minutes": ("min", 1)}
    for heading in ("trial", *(h for h, _ in scores.values()), *SPACE):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda r: float(r["scores"]["RMSE"])):
        cells = [format_number(row["scores"][k], digits) for k, (_, digits) in scores.items()]
        table.add_row(str(row["trial"]), *cells, *(f"{row['settings'][k]:.3g}" for k in SPACE))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=12, help="in all, those that are there included")
    parser.add_argument("--minutes", type=float, help="begin no further trial after so many")
    parser.add_argument("--quick", action="store_true", help="a smaller world, in a folder of its own")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    args = parser.parse_args(words)
    console, commit = Console(), commit_of(ROOT)
    console.width = max(console.width, 120)  # a log file has no width of its own
    try:
        from optuna import TrialPruned
        from optuna.trial import TrialState
    except ModuleNotFoundError:
        parser.exit(2, "optuna is not installed: pip install -c constraints.txt -e '.[sweep]'\n")
    size = QUICK if args.quick else SIZES["small"]
    home = (args.folder / f"{'quick' if args.quick else 'small'}-{FAMILY}{SEED}").resolve()
    home.mkdir(parents=True, exist_ok=True)
    world = development_world(home, size)
    study = opened(home)

    def objective(trial: optuna.Trial) -> float:
        values, name = suggested(trial), home_of(trial)
        console.print(f"[bold]{name}[/]: " + ", ".join(f"{k}={v:.3g}" for k, v in values.items()))
        found = judged(world, home / name, size, values)
        for key, value in found.items():
            trial.set_user_attr(key, value)
        if not math.isfinite(found["RMSE"]):
            raise TrialPruned("these settings diverge")
        console.print(f"{name}: RMSE {found['RMSE']:.4f} m3 m-3, trained in {found['minutes']:.1f} minutes")
        return found["RMSE"]

    ended = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
    if (todo := args.trials - len(ended)) > 0:
        study.optimize(objective, n_trials=todo, timeout=args.minutes and args.minutes * 60)
    whole = study.get_trials(states=[TrialState.COMPLETE])
    if not whole:
        console.print("no trial has ended yet")
        return 1
    rows = [{"trial": t.number, "settings": t.params, "scores": {k: v for k, v in t.user_attrs.items() if k != "home"}}
            for t in whole]  # fmt: skip
    best, weights = study.best_trial, importance(study)
    command = command_of("study.py", words, args.folder)
    file = args.results / "study.json"
    write_json(file, json_ready({
        "command": command, "commit": commit, "machine": machine(), "family": FAMILY, "seed": SEED,
        "world": {"window": list(size.window), "start": size.start, "end": size.end}, "days not scored": WARM,
        "space": {k: {"low": low, "high": high, "log": log} for k, (low, high, log) in SPACE.items()},
        "best": {"trial": best.number, "RMSE": best.value, "settings": best.params}, "importance": weights,
        "trials": rows,
    }))  # fmt: skip
    console.print(table_of(rows))
    console.print("best: " + " ".join(f"{k}={v:.4g}" for k, v in best.params.items()))
    if weights:
        console.print("importance: " + ", ".join(f"{k} {v:.2f}" for k, v in weights.items()))
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
