"""Daily 1 km soil moisture maps from coarse passive-microwave retrievals, MODIS and weather."""

__version__ = "0.2.0"
