"""A hub id or a path → a classifier, loaded safely, with its layers, padding and operation count."""
