"""Native granules onto the grid and into the cube: python prepare.py raw=RAW cube=CUBE domain=NAME start= end="""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import PrepareConfig
from ssm_net.prepare import prepare


@hydra.main(version_base="1.3", config_path="conf", config_name="prepare")
def main(cfg: DictConfig) -> None:
    run_verb(prepare, PrepareConfig, cfg)


if __name__ == "__main__":
    main()
