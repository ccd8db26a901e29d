"""What is found out from the lines of text files, before their rows are read."""
