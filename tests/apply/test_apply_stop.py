"""When a run ends."""

from ekomi_reconcile.apply.run_control import StopSignal


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_deadline_passes_by_itself():
    """It is over once the seconds have passed, and that is no interruption."""
    clock = Clock()
    stop = StopSignal(10, clock=clock)
    assert not stop.is_set()
    clock.now = 10
    assert stop.is_set()
    assert stop.wait(5)
    assert not stop.interrupted


def test_a_signal_ends_at_once():
    """Once set, it stays set, and waiting is over."""
    stop = StopSignal()
    stop.set()
    assert stop.is_set()
    assert stop.interrupted
    assert stop.wait()


def test_without_either_it_goes_on():
    """Waiting ends after its time, with the work to go on."""
    assert not StopSignal().wait(0)
