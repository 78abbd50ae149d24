"""Settings of ``train``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import require, require_paths
from ssm_net.config.shared import ModelConfig, TrainerConfig


@dataclass(frozen=True)
class TrainConfig:
    """Networks that learn from the coarse observations of a cube.

    The shipped networks know simulated worlds; your observations fit their last layer. prior=none trains new networks
    from nothing; most keys below count only then. A run that was interrupted continues from its last complete epoch.

        ssm-net train cube=CUBE run=RUN
        ssm-net train cube=CUBE run=RUN experiment=scratch
        ssm-net train -m cube=CUBE 'run=runs/${lr}' prior=none lr=0.006,0.012
    """

    cube: str
    """made by prepare"""
    run: str
    """folder for the model, its checkpoints and learning curves (tensorboard --logdir RUN)"""
    prior: str = "shipped"
    """networks to start from: shipped, none, or a folder of pretrain"""
    stations: str | None = None
    """ISMN folder or archive zip to learn from, a little; stations in withheld cells are kept for evaluate"""
    mode: str = "nrt"
    """nrt (near real time): each day knows the days before it only; archive: for a record of the past, it knows those
    after it, too"""
    lookahead: int = 3
    """days that mode=archive looks ahead, at most 6 with the networks that ship"""
    exclude: list[str] = field(default_factory=list)
    """features not to be used, e.g. exclude=[rain,api_2,api_10,api_30]"""
    model: ModelConfig = field(default_factory=ModelConfig)
    """size of the networks: a file of conf/model; single sizes as model.width=48"""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    """what training runs on: a file of conf/trainer"""
    seed: int = 1
    """of the split, samples, first weights and dropout"""
    epochs: int = 27
    """passes over the days"""
    batch_size: int = 4
    """patches a step"""
    patch: int = 8
    """side of a training patch, coarse cells, even"""
    stride: int = 6
    """every stride-th pixel each way stands for a footprint while training"""
    lr: float = 0.012
    """learning rate of AdamW"""
    weight_decay: float = 0.004
    """weight decay of AdamW"""
    beta: float = 0.25
    """of the beta-NLL: 0 is the likelihood, 1 a squared error"""
    subgrid: float = 0.08
    """weight of the penalty on sub-grid variance above subgrid_std squared"""
    subgrid_std: float = 0.05
    """prior of the sub-grid standard deviation, m3 m-3"""
    physics: float = 0.03
    """weight of the penalty where soil gets wetter with heat, if clear and sparsely green"""
    validation_fraction: float = 0.15
    """fraction of the coarse cells that is withheld, in blocks"""
    validation_days: float = 0.15
    """fraction of the period that is withheld, at its end"""
    patience: int = 8
    """epochs without a better validation before training stops"""
    restart: bool = False
    """true deletes what run holds and starts again"""
    plan: bool = False
    """true prints what would be trained and does nothing"""

    @property
    def days_ahead(self) -> int:
        """Days after a day that its map knows."""
        return self.lookahead if self.mode == "archive" else 0

    def __post_init__(self) -> None:
        require_paths(self, "cube", "run", "prior", "stations")
        require(self.mode in ("nrt", "archive"), f"mode={self.mode}: nrt or archive")
        require(1 <= self.lookahead <= 30, f"lookahead={self.lookahead}: from 1 day to 30")
        require(self.epochs >= 1 and self.batch_size >= 1, "epochs and batch_size must be >= 1")
        require(self.patch >= 4 and self.patch % 2 == 0, f"patch={self.patch} must be an even number of cells, >= 4")
        require(self.stride >= 1, f"stride={self.stride} must be >= 1")
        for key in ("validation_fraction", "validation_days"):
            require(0 <= getattr(self, key) < 1, f"{key} must lie in [0, 1)")
