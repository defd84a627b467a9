"""Carrying out a plan: accounts, fetches, the queue, sending. Journaled, and one failure at a time."""
