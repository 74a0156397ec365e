"""Pages and contact sheets made from a run's files. Sees files, never tensors: nothing in here may reach torch."""
