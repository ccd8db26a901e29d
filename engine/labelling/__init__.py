"""Labelling a store with a teacher.

`label_run` decides what is to be done, `shard_labeller` does one shard, `fleet` lets many processes do so.
"""
