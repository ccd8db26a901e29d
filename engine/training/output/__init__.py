"""What a training writes: its folder, checkpoints, metrics, and in the end the model."""
