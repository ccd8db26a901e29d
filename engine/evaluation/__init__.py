"""How good a classifier is: `metrics` are pure functions, `evaluate` runs a model over gold, `paired` compares two."""
