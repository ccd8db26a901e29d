"""Planned batches of token ids → logits, on a CPU or a GPU."""
