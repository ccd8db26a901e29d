"""Anybody's answers by id (a language model's, an API's, annotators') → a label set. No model is loaded, and no torch.

`label_from` is the whole run: `read` gathers the answers, `judge` says which of them count, `soft_labels` makes logits
of them, and `write` commits these shard by shard.
"""
