"""Copies of the state: backup, restore, push, move."""
