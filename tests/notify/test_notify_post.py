"""Posting to a webhook: when it is repeated, where it never goes, and what is said of a failure."""

import socket

import pytest
from notify_support import CANARY

from ekomi_reconcile.notify import PAUSES, Problem, address_problem, post


class Rest:
    """Pauses that take no time; ``ends`` is after how many of them the run must end."""

    def __init__(self, ends=99):
        self.pauses = []
        self._ends = ends

    def __call__(self, seconds):
        self.pauses.append(seconds)
        return len(self.pauses) >= self._ends


@pytest.mark.parametrize("status", [200, 201, 204])
def test_it_is_posted_once(hook, status):
    """Any answer of success is the end of it."""
    hook.statuses, hook.body, rest = [status], b"", Rest()
    assert post(hook.url, b'{"a": 1}', rest=rest) is None
    assert (hook.posted, hook.paths, rest.pauses) == ([{"a": 1}], [f"/services/{CANARY}"], [])


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_three_times(hook, status):
    """Two retries with growing pauses; the last answer counts."""
    hook.statuses, rest = [status, 502, 200], Rest()
    assert post(hook.url, b"{}", rest=rest) is None
    assert (len(hook.posted), tuple(rest.pauses)) == (3, PAUSES)
    hook.statuses = [status]
    problem = post(hook.url, b"{}", rest=Rest())
    assert problem == Problem(f"the webhook answered HTTP {status}", passing=True)
    assert len(hook.posted) == 6


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_is_final(hook, status):
    """Repeating would not help."""
    hook.statuses, rest = [status], Rest()
    problem = post(hook.url, b"{}", rest=rest)
    assert problem == Problem(f"the webhook answered HTTP {status}")
    assert (len(hook.posted), rest.pauses) == (1, [])


def test_no_redirect_is_followed(hook):
    """Where it leads is not asked, and not told either."""
    hook.statuses, hook.headers = [302], {"Location": f"http://127.0.0.1:{hook.port}/other?{CANARY}"}
    problem = post(hook.url, b"{}", rest=Rest())
    assert problem == Problem("the webhook redirects (HTTP 302), which is not followed")
    assert hook.paths == [f"/services/{CANARY}"]


def test_a_run_that_must_end_does_not_repeat(hook):
    """One attempt is made, and no more."""
    hook.statuses = [503]
    assert post(hook.url, b"{}", rest=Rest(ends=1)) is not None
    assert len(hook.posted) == 1


def test_nobody_there():
    """No connection is a problem in words, without the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rest = Rest()
    problem = post(f"http://127.0.0.1:{port}/{CANARY}", b"{}", rest=rest)
    assert problem == Problem("no connection", passing=True)
    assert len(rest.pauses) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"no_service", " (no_service)"),
        (b"its_canary", ""),
        (b"<html>no</html>", ""),
        (b"ok", ""),
        (b"x" * 100, ""),
        (b"", ""),
        ("ünfug".encode(), ""),
    ],
)
def test_slacks_word_is_told(hook, body, told):
    """One word of small letters, unless it could be of the address."""
    hook.statuses, hook.body = [404], body
    problem = post(f"{hook.url}/its_canary", b"{}", rest=Rest())
    assert problem is not None
    assert problem.reason == f"the webhook answered HTTP 404{told}"


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "http://localhost:1/x",
        "http://127.3.4.5/x",
        "http://[::1]:8080/",
        "https://h",
    ],
)
def test_addresses_that_are_posted_to(url):
    """https anywhere, http on this machine only."""
    assert address_problem(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/x", "must be https"),
        ("http://localhost.example.com/", "must be https"),
        ("http://10.0.0.1/", "must be https"),
        ("ftp://h/x", "no address of the web"),
        ("hooks.example.com/x", "no address of the web"),
        ("https://", "no address of the web"),
        ("https://[::1/", "no address"),
    ],
)
def test_addresses_that_are_not(url, why):
    """Whatever else it is, it is not posted to; the word about it does not hold it."""
    problem = address_problem(url)
    assert problem is not None
    assert why.removeprefix("no ") in problem
    assert url not in problem
