"""In which precision the networks multiply over pixels: the faster one on this machine, unless the user names one.

Sums, residuals and heads are in float32 in any case (``model/fused.py``), and maps of the two differ by rounding.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import torch

from ssm_net.model.fused import Fused, HalfUpsampled
from ssm_net.model.network import Committee

SIDE, TURNS = 72, 8  # pixels of the square that the trial computes, and turns of which the fastest counts
NATIVE = ("amx_bf16", "avx512_bf16")  # flags of processors that multiply in bfloat16


class Precision(NamedTuple):
    """The type of matrix products, and why it was chosen."""

    dtype: torch.dtype
    reason: str

    @property
    def name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


def choose_precision(asked: str, network: Committee, device: torch.device) -> Precision:
    """``asked`` is float32, bfloat16, or auto: on a GPU what its generation says, on a CPU what a trial says."""
    if asked != "auto":
        return Precision(getattr(torch, asked), "as asked")
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        name = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}"
        if (major, minor) >= (8, 0):
            return Precision(torch.bfloat16, f"its tensor cores multiply it ({name})")
        return Precision(torch.float32, f"it has no products in bfloat16 ({name})")
    flags = Path("/proc/cpuinfo")  # torch says what it can emulate, not what is there
    if not set(NATIVE) & set(flags.read_text().split() if flags.exists() else ()):
        return Precision(torch.float32, f"the processor has no products in bfloat16 (neither {' nor '.join(NATIVE)})")
    return _by_trial(network)


_chosen: list[Precision] = []  # of this process: its maps are all of one precision


def _by_trial(network: Committee) -> Precision:
    if not _chosen:
        gain = trial(network)
        chosen = torch.bfloat16 if gain >= 1 else torch.float32
        _chosen.append(Precision(chosen, f"a trial took {gain:.2f} times as long in float32 as in bfloat16"))
    return _chosen[0]


@torch.inference_mode()
def trial(network: Committee) -> float:
    """Processor time of the networks over a square of pixels in float32, in units of that in bfloat16."""
    random, members = torch.Generator().manual_seed(0), list(network)
    side, around, near = SIDE, SIDE + 2 * network.halo, 6

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    pixels = noise(members[0].groups.shape[1], around, around)
    width = members[0].stem.out_channels
    context = HalfUpsampled(noise(side, near), noise(side, near, len(members)), noise(len(members), side, near, width))
    seconds = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    of_type = {dtype: Fused(network, dtype) for dtype in seconds}
    for turn in range(1 + TURNS):  # in the first one the products are set up
        for dtype, fused in of_type.items():
            start = time.process_time()  # what else the machine does is not the question
            fused(pixels, context)
            if turn:
                seconds[dtype] = min(seconds[dtype], time.process_time() - start)
    return seconds[torch.float32] / seconds[torch.bfloat16]
