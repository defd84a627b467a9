"""What the report says: figures and short lists from the state. Nothing here is personal."""
