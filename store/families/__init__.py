"""What each column family holds: its columns, its statistics and its checks. `kind` finds them by path."""
