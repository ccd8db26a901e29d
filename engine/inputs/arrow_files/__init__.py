"""Parquet and Arrow files → raw blocks, and what their types mean as text, labels and kept columns."""
