"""Labelling a store with a teacher.

`label` plans a run, `execute` carries it out through one of the `runners`, and `shard` labels one shard.
"""
