"""Right or wrong, by seed and test row → intervals, contrasts and what a label is worth. Pure numpy."""
