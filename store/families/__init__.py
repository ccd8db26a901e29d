"""The columns, statistics and checks of each kind of family; `registry` finds the kind of a path."""
