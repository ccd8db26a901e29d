"""WebDataset tars: members → samples → raw blocks."""
