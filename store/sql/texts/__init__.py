"""The text of a query, or of a part of one: what is allowed in it, what it reads, and what an error about it means."""
