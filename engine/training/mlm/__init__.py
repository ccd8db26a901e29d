"""Masked language modelling on texts without labels, before a fine-tuning: files → texts → masked steps → a start."""
