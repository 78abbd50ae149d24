"""Typed batches: shapes are checked where a value is made, and a batch moves and collates as a whole."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric.utilities import move_data_to_device

from ssm_net.train.batches import CellTargets, CoarseWindow, PatchBatch, PatchSample, StoredPixels, collate


def window(cells: tuple[int, int] = (3, 4)) -> CoarseWindow:
    rows, cols = cells
    phase = torch.zeros(cells, dtype=torch.long)
    return CoarseWindow(torch.rand(2, *cells), torch.rand(5, *cells), phase, torch.rand(6, rows), torch.rand(7, cols))


def targets(cells: tuple[int, int] = (3, 4)) -> CellTargets:
    return CellTargets(*(torch.zeros(cells) for _ in range(5)))


def sample() -> PatchSample:
    inside = torch.ones(6, 7, dtype=torch.bool)
    pixels = StoredPixels({"ndvi": torch.rand(6, 7)}, inside, {"day": torch.rand(3, 4)})
    return PatchSample(pixels, window(), torch.ones(4, 5, dtype=torch.bool), targets())


def test_fields_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"CoarseWindow\.cells is \[5, 3, 3\]"):
        CoarseWindow(torch.rand(2, 3, 4), torch.rand(5, 3, 3), torch.zeros(3, 4), torch.rand(6, 3), torch.rand(7, 4))
    with pytest.raises(ValueError, match=r"up_x"):
        CoarseWindow(torch.rand(2, 3, 4), torch.rand(5, 3, 4), torch.zeros(3, 4), torch.rand(6, 3), torch.rand(7, 3))
    with pytest.raises(ValueError, match=r"StoredPixels\.inside"):
        StoredPixels({"ndvi": torch.rand(6, 7)}, torch.ones(6, 6, dtype=torch.bool), {})
    with pytest.raises(ValueError, match=r"gate is \[2, 4, 4\]"):  # one of a batch of two is of another size
        two = collate([window(), window()]), collate([targets(), targets()])
        PatchBatch(torch.rand(2, 5, 6, 7), torch.ones(2, 4, 4), torch.ones(2, 4, 5), *two)


def test_a_batch_has_one_more_dimension_in_every_field() -> None:
    one, batch = sample(), collate([sample(), sample(), sample()])
    assert isinstance(batch, PatchSample)
    shapes: list[torch.Size] = []
    one.mapped(lambda tensor: shapes.append(tensor.shape) or tensor)  # type: ignore[func-returns-value]
    batch.mapped(lambda tensor: shapes.append(tensor.shape) or tensor)  # type: ignore[func-returns-value]
    half = len(shapes) // 2
    assert half == 14 and shapes[half:] == [torch.Size((3, *shape)) for shape in shapes[:half]]


def test_lightning_moves_a_batch_to_its_device() -> None:
    """Frozen values are not rebuilt field by field: a batch that stays where it was would fail on every GPU."""
    moved = move_data_to_device(collate([sample(), sample()]), torch.device("meta"))
    devices: set[str] = set()
    moved.mapped(lambda tensor: devices.add(tensor.device.type) or tensor)  # type: ignore[func-returns-value]
    assert devices == {"meta"}
