"""Texts → token ids, and a plan of batches over them."""
