"""Score daily mosaics against the truth of a synthetic world, stations and baselines; write a report.

python evaluate.py mosaics=OUT cube=CUBE report=REPORT [truth=RAW/truth.zarr] [stations=RAW/ismn]
"""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import EvaluateConfig
from ssm_net.evaluate import evaluate


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    run_verb(evaluate, EvaluateConfig, cfg)


if __name__ == "__main__":
    main()
