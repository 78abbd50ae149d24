"""Versions of the processing that networks were trained on, compared with those of this package.

Each version is a constant next to what it versions, raised where its numbers change enough to matter to networks that
were trained on the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssm_net.ingest import resample
from ssm_net.inputs import features
from ssm_net.lst import gap_filling

VERSIONS = {
    "features": features.VERSION,
    "gap filling of LST": gap_filling.VERSION,
    "resampling": resample.VERSION,
}


def version_differences(provenance: Mapping[str, Any]) -> list[str]:
    """What differs between the processing that a model's ``provenance`` records and that of this package, in words;
    empty where nothing does."""
    recorded = provenance.get("versions", {})
    return [
        f"{name} {recorded.get(name, 'unknown')} (now {version})"
        for name, version in VERSIONS.items()
        if recorded.get(name) != version
    ]
