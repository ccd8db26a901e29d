"""Which files are read right? Small files, each with a trait that real ones have, at every door."""
