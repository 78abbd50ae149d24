"""CUDA streams of tiles: what is copied to and from a GPU travels while other tiles are computed.

A tile has one stream to itself from its first copy to its last, and the stream is idle before the next tile gets it.
So nothing can be read before it is written, and no memory is given away while it is in use. Several tiles are under
way, on a stream each: the copies of one overlap the computing of the others. On a CPU nothing of this does anything.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import torch
from torch import Tensor

STREAMS = 4  # tiles that are on the device at a time: one computing, the others being copied
BYTES_A_PIXEL = 4096  # of a tile's layers at most: 64 channels, and twice as many within a block
LARGEST_TILE = 1 << 18  # pixels: 50 cells of a row; the context of more costs more products a pixel than it saves


@contextmanager
def device_stream(device: torch.device) -> Iterator[None]:
    """A stream of ``device`` that no other thread uses meanwhile. All that was done on it is done at the end."""
    if device.type != "cuda":
        yield
        return
    idle = _idle_streams(device)
    stream = idle.get()
    try:
        stream.wait_stream(torch.cuda.default_stream(device))  # where networks were put onto the device
        with torch.cuda.stream(stream):
            try:
                yield
            finally:
                _wait()
    finally:
        idle.put(stream)


def to_host(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same tensors in the host's memory; from CUDA all are copied into pinned memory, and waited for once."""
    if not tensors[0].is_cuda:
        return list(tensors)
    out = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(t, non_blocking=True) for t in tensors]
    _wait()
    return out


def tile_pixels(device: torch.device) -> int:
    """The largest number of pixels to compute at once on ``device``; 0 where tiles are best left as they are."""
    if device.type != "cuda":
        return 0
    memory = torch.cuda.get_device_properties(device).total_memory
    return min(LARGEST_TILE, memory // (2 * STREAMS * BYTES_A_PIXEL))


def _wait() -> None:
    """For the current stream, without keeping a processor busy."""
    done = torch.cuda.Event(blocking=True)
    done.record()
    done.synchronize()


@functools.cache
def _idle_streams(device: torch.device) -> SimpleQueue[torch.cuda.Stream]:
    idle: SimpleQueue[torch.cuda.Stream] = SimpleQueue()
    for _ in range(STREAMS):
        idle.put(torch.cuda.Stream(device))
    return idle
