"""What delimited files are made of: their dialect, their header, the shape of their rows, and the rows themselves."""
