"""The user's files → the rows of the experiment, none of them the same as a test row."""
