"""Order sources: where orders are read."""
