"""Rules: compiling conditions, matching, scheduling, explaining. Pure: no I/O."""
