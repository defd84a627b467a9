"""Databases: SQLite and PostgreSQL, locks, keys, migrations."""
