"""Networks that look back, taught to look ahead: their weights stay, and those of the days ahead are learned.

Where no day ahead is known the networks then say what they said before, to the last bit. One prior so serves near real
time and a record of the past, and what holds of the one is not put at risk by the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.model.network import Downscaler

MEANS, FIRST = "own_out.logits", "coarse.0.weight"  # the parameters whose inputs are observations, and cells


def teach_ahead(network: Downscaler, old: Downscaler) -> None:
    """Give ``network`` the weights of ``old``, which looks back only and is the same in all else, and let it learn only
    what is not among them: weights of the observations ahead, and of their rain, which start at 0."""
    new = _new_weights(network, old)
    with torch.no_grad():
        for name, values in network.named_parameters():
            kept = old.get_parameter(name)
            if name in new:
                values[~new[name]] = kept.flatten()
            else:
                values.copy_(kept)
        network.get_parameter(FIRST)[new[FIRST]] = 0
        for name, buffer in network.named_buffers():
            buffer.copy_(old.get_buffer(name))
    for name, values in network.named_parameters():
        if name in new:
            values.register_hook(lambda gradient, learned=new[name]: gradient * learned)
        else:
            values.requires_grad_(False)


def _new_weights(network: Downscaler, old: Downscaler) -> dict[str, Tensor]:
    """Where (bool) a weight of ``network`` is not one of ``old``: in the means of the observations, whose last days are
    ahead, and in the coarse branch's first map, which is given the rain ahead and whether it is known."""
    assert old.lookahead == 0 < network.lookahead
    ahead = network.lookahead
    means = torch.zeros_like(network.get_parameter(MEANS), dtype=torch.bool)
    means[:, -ahead:] = True
    first = torch.zeros_like(network.get_parameter(FIRST), dtype=torch.bool)
    features = network.groups.shape[1]
    first[:, -ahead:] = True
    first[:, -features - 2 * ahead : -features - ahead] = True
    return {MEANS: means, FIRST: first}
