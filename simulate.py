"""Write a synthetic world with known 1 km truth, in the archives' own file formats. ``--help`` explains the keys."""

import hydra
from omegaconf import DictConfig

from ssm_net.config import SimulateConfig, load
from ssm_net.simulate import simulate


@hydra.main(version_base="1.3", config_path="conf", config_name="simulate")
def main(cfg: DictConfig) -> None:
    simulate(load(SimulateConfig, cfg))


if __name__ == "__main__":
    main()
