"""The mix of a corpus, of its texts' lengths and input files: of a store or of inputs, and what has the same."""
