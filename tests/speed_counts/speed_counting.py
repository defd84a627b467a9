"""Counting what a database is asked, whoever asks it."""

from collections import Counter
from contextlib import contextmanager

from sqlalchemy import Engine, event

CONTROL = ("BEGIN", "PRAGMA", "ROLLBACK", "COMMIT", "SAVEPOINT", "RELEASE")


@contextmanager
def counted():
    """What all engines execute meanwhile, by first word; ``transactions`` are commits after writing."""
    found = Counter()
    wrote = set()

    def execute(connection, cursor, statement, parameters, context, executemany):
        word = statement.split(None, 1)[0].upper()
        if word not in CONTROL:
            found[word] += 1
        if word in ("INSERT", "UPDATE", "DELETE"):
            wrote.add(connection)

    def commit(connection):
        found["transactions"] += connection in wrote
        wrote.discard(connection)

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "commit", commit)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", execute)
        event.remove(Engine, "commit", commit)


def statements(found):
    """How many statements, transactions aside."""
    return found.total() - found["transactions"]
