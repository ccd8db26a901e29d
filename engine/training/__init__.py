"""Training: `supervised` on gold labels, `distill` on the soft labels of a store, both through one `loop`."""
