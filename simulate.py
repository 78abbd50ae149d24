"""Write a synthetic world with known 1 km truth, in the archives' own file formats. ``--help`` explains the keys."""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import SimulateConfig
from ssm_net.simulate import simulate


@hydra.main(version_base="1.3", config_path="conf", config_name="simulate")
def main(cfg: DictConfig) -> None:
    run_verb(simulate, SimulateConfig, cfg)


if __name__ == "__main__":
    main()
