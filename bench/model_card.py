"""The model card of the shipped prior: what it was trained on, how it does where it has not been, what it is not for.

    python bench/model_card.py [--check]

Writes docs/model_card.md from ssm_net/prior/model.json, bench/results/families.json and bench/results/ground.json; with
--check it only says whether the page is what they give. Raises ``SystemExit`` where results are of another prior.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from provenance import ROOT

from ssm_net.estimators.checkpoint import SHIPPED_PRIOR

PAGE = ROOT / "docs" / "model_card.md"
SCORES = {"RMSE": 4, "RMSE inside": 4, "R inside": 3, "in 68 %": 3, "in 90 %": 3}
METHODS = ("bilinear", "regional slopes alone", "networks", "oracle")


def page(model: Mapping[str, Any], families: Mapping[str, Any], ground: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    of, scaling = model["provenance"], model["scaling"]
    groups = ", ".join(of["families"])
    lines = [
        "# Model card of the shipped prior",
        "",
        "Networks that know what simulated worlds have in common. `train` starts from them and adapts them to the",
        "coarse observations of a target; `infer` then maps it.",
        "",
        "| what | value |",
        "|---|---|",
        f"| weights | `ssm_net/prior/model.pt`, SHA-256 begins with `{model['digest']}` |",
        f"| networks | {model['model']['members']}, one for each group of families: {groups} |",
        f"| worlds | {of['worlds']}, of 8 x 8 cells of 36 km; {len(of['withheld worlds'])} more chose nothing and only "
        "measured the error |",
        f"| days | {scaling['first']} .. {scaling['last']} of simulated weather; no observation of the Earth |",
        f"| made by | `{of.get('command', 'pretrain')}` with ssm_net {of['ssm_net']} |",
        f"| label | 1 km soil moisture of the worlds, 0-5 cm, m3 m-3; footprint {model['footprint']}, "
        f"{model['fwhm']:g} km |",
        "",
        "## Inputs and the range they were learned in",
        "",
        "Any of them may be missing. A value more than a standard deviation outside its range is dropped.",
        "",
        "| feature | mean | standard deviation | range |",
        "|---|---|---|---|",
        *(
            f"| {name} | {mean:.3g} | {std:.3g} | {low:.3g} .. {high:.3g} |"
            for name, mean, std, low, high in zip(
                *(scaling[k] for k in ("names", "mean", "std", "low", "high")), strict=True
            )
        ),
        "",
        "## In families of physics that the networks have not met",
        "",
        f"`{families['command']}`. Each family is mapped by the members that know other families, adapted to the",
        "world's own coarse record. The oracle is the same networks with their last layer fitted to the truth.",
        "",
        "| family | method | RMSE | RMSE inside cells | R inside cells | in 68 % | in 90 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, scores in {**families["families"], "all": families["all"]}.items():
        for method in METHODS:
            numbers = ("" if scores[method][k] is None else f"{scores[method][k]:.{n}f}" for k, n in SCORES.items())
            lines.append(f"| {family} | {method} | {' | '.join(numbers)} |")
    lines += ["", "## At stations inside one cell", "", f"`{ground['command']}`: see [results](results.md).", ""]
    lines += [
        "## What it must not be used for",
        "",
        "- Other depths than 0-5 cm, frozen ground, snow, open water, dense towns, peat.",
        "- Without coarse soil moisture of the target: the networks only know what lies between cells.",
        "- As a truth to train or to judge other products with: it is an estimate whose error is stated a pixel.",
        "- Another grid than 36 km and 1 km, another sensor's footprint: pretrain again.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is another")
    check = parser.parse_args().check
    results = ROOT / "bench" / "results"
    model, families, ground = (
        json.loads(file.read_text(encoding="utf-8"))
        for file in (SHIPPED_PRIOR / "model.json", results / "families.json", results / "ground.json")
    )
    if families["prior"] != model["digest"]:
        raise SystemExit("bench/results/families.json is of another prior: run bench/families.py again")
    text = page(model, families, ground)
    if check:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
