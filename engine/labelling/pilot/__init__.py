"""What a label run will cost, before it is paid for: a pilot → a forecast, and a limit that ends a hopeless run.

`mix` counts the texts of a corpus by length and input file and takes shards or rows that have the same mix, `sampling`
labels rows whose labels are not kept, `estimate` turns what was measured into seconds, and `watch` follows a run.
"""
