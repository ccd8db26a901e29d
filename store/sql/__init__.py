"""SQL over a store: a locked-down DuckDB session, its views, and the named quality questions."""
