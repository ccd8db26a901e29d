"""A classifier at work: texts of any input → the class and the confidence of every row, in the order of the input."""
