"""Leaving a family of physics out: the networks of a prior that have never met it."""

from __future__ import annotations

from dataclasses import replace

from ssm_net.errors import ConfigError
from ssm_net.estimators.checkpoint import Trained
from ssm_net.model.network import Committee


def without_family(prior: Trained, family: str) -> Trained:
    groups = prior.provenance["families"]
    kept = [i for i, group in enumerate(groups) if not set(group) & set(family)]
    if not kept:
        raise ConfigError(f"every network of this prior has met family {family}")
    members = list(prior.network)
    model = replace(prior.model, members=len(kept))
    provenance = prior.provenance | {"families": [groups[i] for i in kept]}
    return replace(prior, network=Committee([members[i] for i in kept]), model=model, provenance=provenance)
