"""The ways to propose rows for annotators, by name. They are in the help of the command line: nothing is imported."""

METHODS = {
    "margin": "the rows of which the label set is least sure: the least margins first",
    "diverse": "the least margins of every predicted class and length in turn",
    "disagreement": "the rows on which label sets differ most (Jensen-Shannon divergence of their probabilities)",
    "random": "a uniform sample, by --seed",
}
DEFAULT_METHOD = "margin"
