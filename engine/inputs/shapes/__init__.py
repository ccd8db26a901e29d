"""Tables whose rows are not one text each, or with cells of several values → the command that makes plain rows."""
