"""The self-test: small checks of files, state, secrets, eKomi, orders and queue. Nothing is written."""
