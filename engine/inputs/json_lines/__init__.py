"""JSON Lines whose objects are plain: many of them parsed at once by Arrow."""
