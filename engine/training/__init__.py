"""Training: `finetune` on gold labels, `distill` on the soft labels of a store; `run` and `loop` are shared."""
