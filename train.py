"""The network from the coarse observations of a cube: python train.py cube=CUBE run=RUN"""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import TrainConfig
from ssm_net.train import train


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    run_verb(train, TrainConfig, cfg)


if __name__ == "__main__":
    main()
