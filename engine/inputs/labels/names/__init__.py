"""Names of classes that stand elsewhere than in the labels: beside them, or in names of columns and files."""
