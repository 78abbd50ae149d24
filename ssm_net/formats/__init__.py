"""Mosaics in files: NetCDF, GeoTIFF and Zarr, their quicklooks, all days as one dataset; the truth of a world."""
