"""The state: what the tool has recorded. One store behind one interface, SQL by SQLAlchemy Core."""
