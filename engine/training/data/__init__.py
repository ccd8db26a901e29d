"""What a training reads: steps of rows, from a store or from gold labels, prepared ahead."""
