"""Scores of the classes: columns → numbers, kept in the order of the rows, and told to be probabilities or logits."""
