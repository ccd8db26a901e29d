"""Row numbers and the columns that belong to them: orders, sets and readers. Knows no SQL."""
