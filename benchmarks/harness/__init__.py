"""Shared by all benchmarks: conditions, rounds, measured processes, made-up models, texts and stores."""
