"""The loop as a service: when the next cycle begins, what it measures, and what it tells over HTTP."""
