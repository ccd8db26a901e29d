"""One question a file, beside a named peer in the same run. Run them from the root: ``python -m benchmarks.NAME``."""
