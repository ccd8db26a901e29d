"""Who carries out a label job: this process, or local worker processes."""
