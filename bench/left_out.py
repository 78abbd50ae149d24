"""A prior without the members that have met a family of worlds.

The prior that ships is a committee, one network a group of families; a network has met the families of its own group
and no other. Left out of the committee in the worlds of these families, it leaves networks that meet them for the first
time, as they would real ground. So one prior is judged in every family, and no second one has to be trained for it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ssm_net.estimators.checkpoint import ModelError, Trained, load_trained, save_trained
from ssm_net.model.network import Committee


def without_family(trained: Trained, family: str) -> Trained:
    """The committee of the members of ``trained`` that have not met ``family`` (a letter); its provenance names the
    families that they have met, and the one left out.

    Raises ``ModelError`` where the model does not say what each member has met, or every member has met that family.
    """
    groups = groups_of(trained)
    kept = [i for i, group in enumerate(groups) if not set(group) & set(family)]
    if not kept:
        raise ModelError(f"every network of this prior has met family {family} (they were trained on "
                         f"{', '.join(groups)}): pretrain one without it, e.g. families=[AD,BE,CF]")  # fmt: skip
    return of_members(trained, kept, {"left out": family})


def one_member(trained: Trained, which: int = 0) -> Trained:
    """The member ``which`` of a committee alone."""
    return of_members(trained, [which], {})


def groups_of(trained: Trained) -> list[str]:
    """The families that each member was trained on, as their letters. Raises ``ModelError`` where the model does not
    say."""
    groups, members = trained.provenance.get("families"), len(trained.network.members)
    if not isinstance(groups, list) or len(groups) != members:
        raise ModelError(f"this prior of {members} networks names the families {groups}, not one group a network: it "
                         "was made by an older version; make it again with pretrain.py")  # fmt: skip
    return [str(group) for group in groups]


def of_members(trained: Trained, kept: Sequence[int], note: dict[str, str]) -> Trained:
    """The committee of the members ``kept``, copies of them; what its provenance says of groups is that of theirs."""
    members, groups, known = list(trained.network), groups_of(trained), trained.provenance
    mine = [groups[i] for i in kept]
    provenance = {**known, "families": mine, "of the committee": trained.digest, **note}
    if "worlds" in known:  # each group has as many
        provenance["worlds"] = known["worlds"] * len(mine) // len(groups)
    if isinstance(errors := known.get("RMSE there, m3 m-3"), dict):
        provenance["RMSE there, m3 m-3"] = {group: error for group, error in errors.items() if group in mine}
    return replace(
        trained, network=Committee(copy.deepcopy(members[i]) for i in kept).eval(),
        model=replace(trained.model, members=len(mine)), provenance=provenance, digest="",
    )  # fmt: skip


def saved(trained: Trained, folder: Path) -> Path:
    """``folder``, where the model is saved; one that is there and comes from the same committee is left as it is."""
    file = folder / "model.json"
    if not (file.exists() and json.loads(file.read_text())["provenance"] == trained.provenance):
        folder.mkdir(parents=True, exist_ok=True)
        save_trained(folder, trained)
    return folder


def saved_without(prior: Path, family: str, folder: Path) -> Path:
    """``folder``, where the model of ``prior`` is saved without the members that have met ``family``."""
    return saved(without_family(load_trained(prior), family), folder)


def comes_from(folder: Path, prior: Path) -> bool:
    """Whether the model in ``folder`` is made of members of that of ``prior``."""
    file = folder / "model.json"
    if not file.exists():
        return False
    digest = json.loads((prior / "model.json").read_text())["digest"]
    return bool(json.loads(file.read_text())["provenance"].get("of the committee") == digest)
