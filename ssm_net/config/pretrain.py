"""Settings of ``pretrain``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import require, require_paths
from ssm_net.config.shared import ModelConfig, TrainerConfig

PRIOR_MODEL = ModelConfig(
    width=64, depth=1, coarse_width=64, coarse_depth=2, cells=True, lags=10, lookahead=6, dropout=0.05
)  # many worlds leave no room for overfitting; there are as many members as groups of families


@dataclass(frozen=True)
class PretrainConfig:
    """Networks that know what simulated worlds have in common: the prior that training starts from.

    Worlds are simulated, and networks trained on their truth at 1 km. One such prior comes with ssm_net; make your own
    for another sensor, climate or set of predictors. A run that was interrupted continues.

        ssm-net pretrain worlds=WORLDS run=PRIOR workers=8 trainer=gpu
        ssm-net train cube=CUBE run=RUN prior=PRIOR
    """

    worlds: str
    """folder for the worlds' sampled pixels, about 30 MB a world"""
    run: str
    """folder for the networks"""
    families: list[str] = field(default_factory=lambda: ["AD", "BE", "CF"])
    """groups of families of physics, one network each: laws and numbers are drawn between the letters of a group"""
    count: int = 50
    """worlds a group"""
    days: int = 32
    """days of a world that samples are taken from"""
    cells: int = 8
    """side of a world, coarse cells, a multiple of 4"""
    model: ModelConfig = field(default_factory=lambda: PRIOR_MODEL)
    """size of the networks: a file of conf/model"""
    trainer: TrainerConfig = field(default_factory=lambda: TrainerConfig(precision="bf16-mixed"))
    """what training runs on: a file of conf/trainer"""
    seed: int = 1
    """of worlds, samples and first weights"""
    epochs: int = 28
    """passes over the worlds"""
    batch_size: int = 8
    """samples a step"""
    lr: float = 2e-3
    """learning rate of AdamW"""
    weight_decay: float = 0.02
    """weight decay of AdamW"""
    workers: int = 1
    """processes that simulate worlds and, on a CPU, train networks"""
    plan: bool = False
    """true prints what would be done and does nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "worlds", "run")
        require(bool(self.families) and self.count >= 1, "families must name at least one, and count be >= 1")
        require(len(set(self.families)) == len(self.families), "families must not name a group twice")
        require(self.cells >= 8 and self.cells % 4 == 0, f"cells={self.cells}: a multiple of 4, at least 8")
        require(self.days >= 10 and self.epochs >= 1 and self.batch_size >= 1 and self.workers >= 1,
                "days must be >= 10; epochs, batch_size and workers >= 1")  # fmt: skip
