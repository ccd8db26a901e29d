"""The data of a training: steps of rows, from a store or from gold labels, prepared in a thread."""
