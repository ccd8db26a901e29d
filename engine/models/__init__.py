"""A hub id or a path → a classifier, loaded safely, and what is known of it."""
