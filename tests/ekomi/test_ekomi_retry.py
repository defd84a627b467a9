"""Repeating: only what is safe, with patience, and never past the end of the run."""

from __future__ import annotations

import pytest
from ekomi_support import Patience

from ekomi_reconcile.http.rate_limit import LONGEST_RETRY_AFTER, READS, SENDS, Retry
from ekomi_reconcile.model.errors import CredentialsRefused, EkomiUnavailable, OutcomeUnknown, RequestRefused


def unavailable(status: int | None = 503, retry_after: float | None = None) -> EkomiUnavailable:
    error = EkomiUnavailable("later", status=status)
    error.retry_after = retry_after
    return error


class Server:
    """Fails with ``errors`` in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_success_needs_no_pause():
    """What succeeds is asked once."""
    server, stop = Server(), Patience()
    assert READS.run(server, stop=stop) == "answer"
    assert (server.asked, stop.waits) == (1, [])


def test_pauses_grow():
    """Pauses grow and stay bounded; a later success counts."""
    server, stop = Server(*[unavailable() for _ in range(8)]), Patience()
    assert Retry(attempts=9).run(server, stop=stop) == "answer"
    expected = [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert all(low <= wait <= low + 0.5 for low, wait in zip(expected, stop.waits, strict=True))


@pytest.mark.parametrize(("retry", "attempts"), [(READS, 4), (SENDS, 3)])
def test_attempts_are_bounded(retry, attempts):
    """After the last attempt the last error is raised as it is."""
    errors = [unavailable() for _ in range(9)]
    server = Server(*errors)
    with pytest.raises(EkomiUnavailable) as caught:
        retry.run(server, stop=Patience())
    assert server.asked == attempts
    assert caught.value is errors[attempts - 1]


@pytest.mark.parametrize("kind", [CredentialsRefused, RequestRefused, OutcomeUnknown, ValueError])
def test_decided_errors_are_not_repeated(kind):
    """A refusal, an unknown outcome and a defect of ours are raised at once."""
    server = Server(kind("no"))
    with pytest.raises(kind):
        READS.run(server, stop=Patience())
    assert server.asked == 1


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (None, 2),
        (200, 2),
        (408, 2),
        (425, 2),
        (429, 2),
        (500, 2),
        (502, 2),
        (301, 1),
        (307, 1),
        (403, 1),
        (404, 1),
    ],
)
def test_only_where_it_may_help(status, asked):
    """A redirect or a page of a firewall will be the same in a second: not repeated."""
    server = Server(unavailable(status))
    if asked == 1:
        with pytest.raises(EkomiUnavailable):
            READS.run(server, stop=Patience())
    else:
        READS.run(server, stop=Patience())
    assert server.asked == asked


def test_retry_after_is_honoured():
    """The pause is at least what eKomi asked for."""
    stop = Patience()
    READS.run(Server(unavailable(retry_after=17.0), unavailable(retry_after=0.0)), stop=stop)
    assert stop.waits[0] == 17.0
    assert stop.waits[1] >= 1


def test_a_long_retry_after_is_left_to_a_later_run():
    """Asked to stay away for long, the client does, and the error says for how long."""
    server = Server(unavailable(retry_after=LONGEST_RETRY_AFTER + 1))
    with pytest.raises(EkomiUnavailable) as caught:
        READS.run(server, stop=Patience())
    assert server.asked == 1
    assert caught.value.retry_after == LONGEST_RETRY_AFTER + 1


def test_a_set_stop_ends_repeating():
    """With the stop set the first error is raised without a pause."""
    server, stop = Server(unavailable()), Patience(ends_after=0)
    with pytest.raises(EkomiUnavailable):
        READS.run(server, stop=stop)
    assert (server.asked, stop.waits) == (1, [])
