"""One mosaic a day from a trained network: python infer.py cube=CUBE run=RUN mosaics=OUT"""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import InferConfig
from ssm_net.infer import infer


@hydra.main(version_base="1.3", config_path="conf", config_name="infer")
def main(cfg: DictConfig) -> None:
    run_verb(infer, InferConfig, cfg)


if __name__ == "__main__":
    main()
