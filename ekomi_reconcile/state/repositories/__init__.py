"""What the state stores, by subject."""
