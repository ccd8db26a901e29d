"""The files that a training writes: its folder, checkpoints, metrics, and finally the model."""
