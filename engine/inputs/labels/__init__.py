"""Labels of input files: their one spelling, the class that each is, and rows that have one."""
