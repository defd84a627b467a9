"""``notify:`` in the project file."""

import pytest
from config_files import ACCOUNT, PROJECT, checked, loaded

from ekomi_reconcile.config.settings import NotifyFormat, NotifySettings, Occasion

CANARY = "https://hooks.example.com/T0CANARY"


def test_what_it_means():
    """The format is json, the occasions are changes and failure, unless the file says otherwise."""
    text = "notify:\n  - {webhook: '${env:A}'}\n  - {webhook: '${file:/b}', format: slack, on: [success]}\n"
    first, second = loaded(ACCOUNT, project=PROJECT + text).project.notify
    both = (Occasion.CHANGES, Occasion.FAILURE)
    assert first == NotifySettings(webhook="${env:A}", format=NotifyFormat.JSON, on=both)
    assert second == NotifySettings(webhook="${file:/b}", format=NotifyFormat.SLACK, on=(Occasion.SUCCESS,))
    assert loaded(ACCOUNT).project.notify == ()


def test_it_is_no_part_of_what_a_run_does():
    """A reviewed plan is not stale because somebody else is told of it."""
    more = "notify: [{webhook: '${env:A}'}]\n"
    assert loaded(ACCOUNT, project=PROJECT + more).digest == loaded(ACCOUNT).digest


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (f"webhook: {CANARY}", "secret-literal"),
        ("webhook: 5", "secret-literal"),
        ("webhook: '${vault:x}'", "secret-kind"),
        ("format: slack", "missing-key"),
        ("webhook: '${env:A}', on: []", "empty-list"),
        ("webhook: '${env:A}', on: [failure, failure]", "duplicate-entry"),
        ("webhook: '${env:A}', on: [error]", "unknown-value"),
        ("webhook: '${env:A}', on: failure", "wrong-type"),
        ("webhook: '${env:A}', format: teams", "unknown-value"),
        ("webhook: '${env:A}', url: https://x", "unknown-key"),
    ],
)
def test_mistakes(entry, rule):
    """Each has its place and rule; an address that stands in the file is not repeated."""
    configuration, diagnostics = checked(ACCOUNT, project=f"{PROJECT}notify:\n  - {{{entry}}}\n")
    assert configuration is None
    (found,) = [each for each in diagnostics if each.is_error]
    assert (found.rule, found.place.line) == (rule, 4)
    assert "CANARY" not in str(diagnostics)


@pytest.mark.parametrize("value", ["[]", "null", "{webhook: '${env:A}'}"])
def test_it_is_a_list(value):
    """Empty, null or a single one is an error that says what to write."""
    configuration, diagnostics = checked(ACCOUNT, project=f"{PROJECT}notify: {value}\n")
    assert configuration is None
    assert diagnostics


def test_the_same_hook_twice():
    """A warning, if both are told of the same."""

    def rules(second):
        entries = f"  - {{webhook: '${{env:A}}'}}\n  - {{webhook: '${{env:A}}', on: [{second}]}}\n"
        return [each.rule for each in checked(ACCOUNT, project=f"{PROJECT}notify:\n{entries}")[1]]

    assert "notified-twice" in rules("failure, success")
    assert "notified-twice" not in rules("success")


@pytest.mark.parametrize(("on", "rules"), [("[review]", []), ("[failure]", ["rating-unused"])])
def test_a_rating_is_for_reviews(on, rules):
    """Without `review` among the occasions it does nothing: a warning."""
    text = f"{PROJECT}notify: [{{webhook: '${{env:A}}', on: {on}, rating: {{lte: 2}}}}]\n"
    configuration, diagnostics = checked(ACCOUNT, project=text)
    assert configuration is not None
    assert [each.rule for each in diagnostics if each.rule == "rating-unused"] == rules
