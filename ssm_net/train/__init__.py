"""Training of the networks on coarse observations."""
