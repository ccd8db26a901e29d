"""What a label run is asked to do, and the store that it is done to."""
