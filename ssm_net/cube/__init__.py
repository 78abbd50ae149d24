"""The Zarr cube: its variables, its layout on disk, reading and writing of days."""
