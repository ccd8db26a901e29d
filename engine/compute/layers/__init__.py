"""A layer of a BERT-like encoder, for packed rows: its products, its dropout, all of it together."""
