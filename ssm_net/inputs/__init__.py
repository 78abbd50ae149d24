"""From the cube to tensors: features, statistics, windows of pixels, tiles, the split."""
