"""A folder with a model's files → its module and its tokenizer, or the way to make them usable."""
