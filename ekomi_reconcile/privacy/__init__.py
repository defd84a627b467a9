"""Who must not be invited."""
