"""The physics, weather and instruments of a synthetic world."""
