"""Two formats that do not exist: the steps to them, which a test may stop in the middle of."""

from ekomi_reconcile.state.migrations import Migration

TARGET = 3


def steps(moment="", wait=lambda: None):
    """The steps from format 1 to 3; ``wait`` is called at this moment."""

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

    return (Migration(2, add_note), Migration(3, add_mood))
