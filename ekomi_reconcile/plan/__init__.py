"""Plans: the difference between the files and the state, as data."""
