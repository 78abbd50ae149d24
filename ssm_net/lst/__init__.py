"""Land surface temperature in every weather: gap filling, inpainting, annual cycle, effect of cloud."""
