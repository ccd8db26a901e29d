"""How good a classifier is: `metrics` are pure functions, `evaluate` runs a model on rows, `paired` compares two."""
