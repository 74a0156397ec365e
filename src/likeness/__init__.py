"""likeness: teach a text-to-image diffusion model one subject from a few photos, and measure how well it worked."""

__version__ = "0.1.0"
