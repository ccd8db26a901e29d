"""How long a command takes until it works, or until it says what is wrong."""
