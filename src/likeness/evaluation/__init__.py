"""What a set of pictures is worth: encoders, metrics, statistics, benchmarks. Sees pictures, never diffusion models.

Import the files themselves; this one imports nothing, so that `statistics` stays free of torch.
"""
