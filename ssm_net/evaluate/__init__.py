"""The mosaics against truth, stations, coarse observations and baselines."""
