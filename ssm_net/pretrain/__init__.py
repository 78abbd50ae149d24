"""Networks trained on the truth of simulated worlds."""
