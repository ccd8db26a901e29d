"""Checks of every byte and promise of a store, and the repair of small files."""
