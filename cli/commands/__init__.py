"""One command a file, or a folder where it is larger: options → one call → print."""
