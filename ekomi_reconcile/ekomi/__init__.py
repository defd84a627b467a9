"""The client of eKomi's HTTP interfaces. Import from its modules: this package loads nothing itself."""
