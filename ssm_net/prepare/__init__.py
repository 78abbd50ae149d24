"""Native granules onto the grid and into the cube."""
