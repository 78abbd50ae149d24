"""One interface for the networks and the classical downscalers; checkpoints and calibration."""
