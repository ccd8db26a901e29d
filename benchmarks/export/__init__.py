"""What a model that is exported gives, against the model itself."""
