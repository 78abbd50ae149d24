"""Soil moisture products of others, read at places: what they say where stations judge."""
