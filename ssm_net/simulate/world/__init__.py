"""The physics and weather of a synthetic world, and what instruments see of it."""
