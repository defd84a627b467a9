"""Unit tests of the rules: files with orders and what is expected of them, offline and without a state."""
