"""Frozen sets of rows: how they are made, kept and handed to annotators."""
