"""Networks that know what simulated worlds have in common: python pretrain.py worlds=WORLDS run=PRIOR"""

import hydra
from omegaconf import DictConfig

from ssm_net.cli import run_verb
from ssm_net.config import PretrainConfig
from ssm_net.pretrain import pretrain


@hydra.main(version_base="1.3", config_path="conf", config_name="pretrain")
def main(cfg: DictConfig) -> None:
    run_verb(pretrain, PretrainConfig, cfg)


if __name__ == "__main__":
    main()
