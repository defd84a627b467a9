"""Two formats that do not exist: the steps to them, which a test may stop in the middle of."""

from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.engine.migrations import Migration

TARGET = FORMAT_VERSION + 2


def steps(moment="", wait=lambda: None):
    """The steps from the present format to the one after the next; ``wait`` is called at this moment."""

    def at(place):
        if place == moment:
            wait()

    def add_note(connection):
        at("before the first step")
        connection.exec_driver_sql("ALTER TABLE invitation ADD COLUMN note TEXT")
        connection.exec_driver_sql("UPDATE invitation SET note = number")

    def add_mood(connection):
        at("between the steps")
        connection.exec_driver_sql("ALTER TABLE review ADD COLUMN mood TEXT")
        connection.exec_driver_sql("DELETE FROM api_error")
        at("before the commit")

    return (Migration(FORMAT_VERSION + 1, add_note), Migration(TARGET, add_mood))
