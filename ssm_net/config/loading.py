"""From a composed configuration, or a plain dictionary, to the checked values of a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ssm_net.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

T = TypeVar("T")


def load(schema: type[T], cfg: DictConfig | dict[str, Any]) -> T:
    """The values of a composed configuration, checked. Raises ``ConfigError``: unknown key, wrong type, none given."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = writable(schema)
        # As a plain dictionary: of a typed configuration, merging would let unknown keys in.
        merged.merge_with(OmegaConf.to_container(cfg, resolve=True) if isinstance(cfg, DictConfig) else cfg)
        missing = sorted(str(key) for key in OmegaConf.missing_keys(merged))
        if missing:
            raise ConfigError(f"nothing given for {', '.join(missing)}: add {' '.join(f'{k}=...' for k in missing)}")
        value = OmegaConf.to_object(merged)
    except OmegaConfBaseException as err:
        key = f"{err.full_key}: " if err.full_key else ""
        raise ConfigError(key + str(err).splitlines()[0]) from err
    assert isinstance(value, schema)
    return value


def writable(schema: Any) -> DictConfig:
    """A schema, or a value of one, as a typed configuration that other configurations can be merged into.

    OmegaConf takes a frozen dataclass as read-only, at every level: the values are frozen once they are complete.
    """
    from omegaconf import OmegaConf

    node: DictConfig = OmegaConf.structured(schema)
    _allow_writing(node)
    return node


def _allow_writing(node: DictConfig) -> None:
    from omegaconf import OmegaConf

    OmegaConf.set_readonly(node, None)
    for key in node:
        if not OmegaConf.is_missing(node, key) and OmegaConf.is_dict(node[key]):
            _allow_writing(node[key])
