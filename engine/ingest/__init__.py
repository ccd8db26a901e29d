"""Input files → a store's header, corpus, rejects and rounds of gold."""
