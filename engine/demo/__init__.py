"""The whole path on generated reviews: `reviews` makes text, `models` makes small models, `path` goes all the way."""
