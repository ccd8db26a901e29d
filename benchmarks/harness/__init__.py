"""What every benchmark shares: conditions, rounds, measured processes, made-up models, texts and stores."""
