"""The command line: one file a command, options → one call → print. Nothing computes here."""
