"""The experiment: files of rows and two models → every arm's trained models and their logits of the test rows."""
