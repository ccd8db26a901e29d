"""Names of the columns of a file → which column is what."""
