"""What people label with today."""
