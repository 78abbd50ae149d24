"""Scores and what they are computed from."""
