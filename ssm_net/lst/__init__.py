"""Land surface temperature in every weather: gap filling, inpainting, background, annual cycle, effect of cloud."""
