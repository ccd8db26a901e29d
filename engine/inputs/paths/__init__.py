"""Paths, globs and folders → input files of known kinds."""
