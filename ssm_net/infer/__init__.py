"""One mosaic a day from a trained network or a classical downscaler."""
