"""The plan as a comment: what it shows, that it fits, and that nobody's text breaks out of it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from golden import check_golden
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from plan_examples import (
    GERMANY,
    NOW,
    account,
    canonical,
    empty_plan,
    full_plan,
    schedule,
    small_plan,
)
from project_support import order
from tiers import examples

from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.errors import RevisionUnreadable
from ekomi_reconcile.model.invitation import ScheduleStep
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.plan.diff import Comparison, Limits, between
from ekomi_reconcile.plan.plan import (
    AccountChange,
    Action,
    InvitationSteps,
    Operation,
    OperationKind,
    Scope,
)
from ekomi_reconcile.plan.steps import Steps
from ekomi_reconcile.render.plan_markdown import (
    BUDGET,
    Comment,
    code,
    failure_markdown,
    fence,
    plan_markdown,
)
from ekomi_reconcile.render.plan_text import PlanDetail

GOLDEN = Path(__file__).parent / "golden"
TAGS = {"h3", "p", "code", "pre", "blockquote", "details", "summary", "strong", "a"} | {
    *("table", "thead", "tbody", "tr", "th", "td")
}
TRAPS = (
    *("`", "```", "~~~", "</details>", "</code>", "<img src=x onerror=y>", "<!--", "-->", "&lt;", "|", "\\"),
    *("@octocat", "[x](https://example.com)", "https://example.com", "#12", "\n", "\n/close\n", "\n\n# x"),
    *("\u202e", "😀", "::error::", "x" * 300),
)
HOSTILE = st.lists(st.sampled_from(TRAPS) | st.text(max_size=5), min_size=1, max_size=6).map("".join)


class Outside(HTMLParser):
    """What of a page is neither code nor a comment: its text, and all tags."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.comments, self._open = "", [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if not {"code", "pre"} & set(self._open):
            self.text += data


def shown(markdown):
    """The comment as a page. Tags are closed in their order, or this fails."""
    return Outside(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


def compared(before, after, **changes):
    """The plan between two lists of accounts."""
    comparison = Comparison(
        now=NOW,
        tool_version="0.1.0",
        config_digest="sha256:" + "0" * 64,
        git_commit="d" * 40,
        limits=Limits(max_delete_percent=30, max_sends=1000, max_schedules=1000),
        scope=Scope(offline=True, base="origin/main", base_commit="a1b2c3d4e5f6" + "0" * 28),
        **changes,
    )
    return between(before, after, comparison)


def many(count, **changes):
    """Accounts that are alike but for name and id."""
    return [account(f"Shop {number}", str(30000 + number), **changes) for number in range(count)]


def different(count):
    """The same accounts, each with another change; but for the first."""
    return [account(f"Shop {number}", str(30000 + number), priority=number) for number in range(count)]


def regional():
    """41 accounts that change alike, one that goes, and one with a longer condition than before."""
    tree = {"all": [{"grand_total": {"gte": 60}}, {"currency": {"in": ["EUR", "CHF"]}}]}
    before = [*many(41), account("Old", "1"), account("Tree", "2")]
    after = [
        *many(41, invitations=InvitationRule(enabled=True, pending_period=7)),
        account("Tree", "2", invitations=InvitationRule(enabled=True, conditions=tree)),
    ]
    return compared(before, after)


@pytest.mark.parametrize(
    ("name", "plan", "comment"),
    [
        ("full", full_plan(git_commit="c" * 40), Comment(key="shop/de", url="https://ci.example.com/runs/1")),
        ("small", small_plan(), Comment()),
        ("empty", empty_plan(), Comment()),
        ("base", regional(), Comment()),
    ],
)
def test_a_comment_reads_as_approved(name, plan, comment):
    """Figures and warnings on top, changes folded, alike ones together."""
    check_golden(GOLDEN / f"comment-{name}.md", plan_markdown(plan, comment))


def test_equal_changes_share_one_row():
    """41 accounts with the same change are read once; all their names are in the diff."""
    text = plan_markdown(compared(many(41), many(41, priority=5)), Comment())
    assert "| 41 accounts: `Shop 0`, `Shop 1`, `Shop 10`, … | `priority` 0 → 5 |" in text
    assert text.count("+ priority: 5") == 1
    assert all(f'"Shop {number}"' in text for number in range(41))


def test_up_to_ten_accounts_are_open_to_view():
    """Ten accounts have a row each, even with the same change; of more, rows beyond the tenth are folded."""
    few = plan_markdown(compared(many(10), many(10, priority=5)), Comment())
    assert all(f"| `Shop {number}` | `priority` 0 → 5 |" in few for number in range(10))
    many_rows = plan_markdown(compared(many(31), different(31)), Comment())
    assert "<details><summary>20 more rows</summary>" in many_rows
    assert many_rows.index("`Shop 18`") < many_rows.index("<details>") < many_rows.index("`Shop 2`")


def test_deletions_come_first_and_are_marked():
    """Who is contacted is in the title; the first row is what takes away, whatever else there is."""
    text = plan_markdown(small_plan(), Comment())
    assert text.split("\n")[1].startswith("### ⚠ 7 customers invited on apply · ")
    rows = [each for each in text.split("\n") if each.startswith("| ")][2:]
    assert rows[0] == "| ❌ `Norway` | deleted |  |  | 5 |"
    assert rows[1].endswith("| 7 | 4 | 0 |")


@pytest.mark.parametrize("count", [200, 1000])
def test_a_comment_that_is_cut_says_what_is_missing_and_where_it_is(count):
    """Cut between rows and between accounts; shown and left out make all; the figures are whole."""
    plan = compared(many(count), different(count))
    text = plan_markdown(plan, Comment(url="https://ci.example.com/runs/1"))
    assert len(text.encode()) <= BUDGET
    assert f"Plan: 0 to add, {count - 1} to change, 0 to destroy." in text
    assert text.count("</details>") == text.count("<details>") == 2
    rows = len(re.findall(r"^\| `Shop", text, re.MULTILINE))
    entries = len(re.findall(r'^  "Shop \d+"', text, re.MULTILINE))
    cut = re.search(r"\*\*Cut to fit into a comment\*\*: (.*) left out above. (.*)\n", text)
    if cut is None:
        assert rows == entries == count - 1
    else:
        left = {words: int(number) for number, words in re.findall(r"(\d+) (row|further entr)", cut[1])}
        assert rows + left.get("row", 0) == entries + left.get("further entr", 0) == count - 1
        assert cut[2] == "Read it all [here](<https://ci.example.com/runs/1>)."
    assert (cut is not None) is (count == 1000)


def test_one_group_that_is_too_large_is_cut_between_its_accounts():
    """What is the same for all stays; names go, and are counted."""
    text = plan_markdown(compared(many(5000), many(5000, priority=5)), Comment())
    assert len(text.encode()) <= BUDGET
    assert "+ priority: 5" in text
    names = len(re.findall(r'^  "Shop \d+"  \d+$', text, re.MULTILINE))
    assert names > 1000
    assert f"… {5000 - names} more, left out here" in text
    assert (
        f"{5000 - names} further entries left out above. Read it all by running `ekomi-reconcile plan`."
        in text
    )


def test_what_takes_away_is_kept_when_there_is_not_room_for_all():
    """A deletion is never cut in favour of a thousand small changes."""
    before = [*many(1000), account("Old", "1")]
    text = plan_markdown(compared(before, different(1000)), Comment())
    assert "| ❌ `Old` | deleted |" in text
    assert '- "Old"  1' in text
    assert "Cut to fit" in text


def test_changes_leave_room_for_what_happens_to_customers():
    """The queue is shown although the changes alone would fill the comment."""
    changes = compared(many(1000), different(1000)).changes
    text = plan_markdown(full_plan(changes=changes), Comment())
    assert "100000001   5 Dec 12:00" in text
    assert "Cut to fit" in text


def test_a_concise_comment_has_figures_and_changes_only():
    """--concise leaves out the orders."""
    text = plan_markdown(full_plan(), Comment(), detail=PlanDetail.CONCISE)
    assert "5 to schedule" in text
    assert "100000001" not in text
    assert "<summary>full diff</summary>" in text


def hostile_plan(name, other, base):
    """Every text that a stranger can write, in every place where it is shown."""
    steps = Steps(ScheduleStep)
    steps.append(schedule(1, number=other, reached_status=other))
    tree = InvitationRule(conditions={"sku": {"in": [name] * 12}})
    before = canonical(name=other, tags=(other,))
    after = canonical(name=name, tags=(name, other), invitations=tree)
    change = AccountChange(action=Action.CREATE, name=name, interface_id=GERMANY, after=after)
    keys = ("name", "tags", "invitations.conditions")
    update = replace(change, action=Action.UPDATE, previous_name=other, before=before, changed=keys)
    place = Place(path=f"accounts.d/{other}.yaml")
    finding = {"message": name, "found": other, "hint": name, "place": place}
    return full_plan(
        names={GERMANY: name},
        scope=Scope(targets=(name, other), base=base, base_commit=base and "a" * 40),
        changes=(change, update, replace(change, action=Action.DELETE, before=before, blocked="protected")),
        operations=(Operation(kind=OperationKind.SYNC, account=name, interface_id=GERMANY, reason="new"),),
        invitations=InvitationSteps(schedule=steps),
        diagnostics=(Diagnostic(severity=Severity.WARNING, rule="x", **finding),),
    )


@given(HOSTILE, HOSTILE, st.sampled_from(["plan", "base", "failed"]))
@example("".join(TRAPS), "`" * 50 + "\n</details>@octocat", "failed")
@example("".join(TRAPS), "`" * 50 + "\n</details>@octocat", "plan")
@settings(max_examples=examples(60), deadline=None)
def test_no_name_breaks_out_of_its_place(name, other, kind):
    """Tags, mentions, links, quick actions: as text of code they do nothing, and nowhere else are they."""
    error = RevisionUnreadable(f"no {name}", hint=other)
    plan = hostile_plan(name, other, other if kind == "base" else None)
    text = failure_markdown(error, Comment()) if kind == "failed" else plan_markdown(plan, Comment())
    page = shown(text)
    assert set(page.tags) <= TAGS - {"a"}
    assert page.tags.count("details") == {"failed": 0, "base": 1, "plan": 2}[kind]
    assert page.comments == [" ekomi-reconcile:plan "]
    for trap in ("@", "<", "://", "#", "|", "~~~", "::", "octocat", "😀", "\\", "`"):
        assert trap not in page.text.replace("[!CAUTION]", "").replace("ekomi-reconcile", "")
    assert not any(line.startswith("/") for line in text.split("\n"))
    assert len(text.encode()) <= BUDGET


@given(HOSTILE)
def test_code_shows_the_text_and_nothing_but_the_text(text):
    """A span and a fence are each exactly one element, with the text in it."""
    for markdown in (code(text), fence([text], "diff")):
        page = shown(markdown)
        assert page.tags.count("code") == 1
        assert page.text.strip() == ""


@given(
    count=st.integers(0, 400),
    width=st.sampled_from([1, 40, 255]),
    char=st.sampled_from(["a", "é", "😀", "`", "<"]),
    alike=st.booleans(),
    fetches=st.integers(0, 500),
    findings=st.integers(0, 40),
)
@settings(max_examples=examples(25), deadline=None)
def test_a_comment_never_exceeds_its_budget(count, width, char, alike, fetches, findings):
    """Whatever there is to show, in bytes: services count characters or bytes, and neither is more."""
    names = [(f"{char * width}{number}", str(30000 + number)) for number in range(count)]
    before = [account(*each) for each in names]
    after = [account(*each, priority=7 if alike else n) for n, each in enumerate(names, start=1)]
    plan = full_plan(
        changes=compared(before, after).changes,
        operations=[
            Operation(kind=OperationKind.SYNC, account=char * width, interface_id="1", reason="due")
            for _ in range(fetches)
        ],
        diagnostics=[
            Diagnostic(severity=Severity.WARNING, rule="x", message=char * 2000, place=Place(path="a.yaml"))
            for _ in range(findings)
        ],
    )
    text = plan_markdown(plan, Comment(key="k" * 300, url="https://ci.example.com/" + "x" * 270))
    assert len(text.encode()) <= BUDGET
    assert text.count("<details>") == text.count("</details>")
    assert f"`Plan: 0 to add, {count} to change" in plan_markdown(plan, Comment())


def test_the_command_writes_the_comment_to_stdout_and_to_a_file(project, monkeypatch, capsys):
    """--markdown-out and --format markdown are the same comment; text and file come from one plan."""
    project.account("Germany", "28374", more="tags: [digital]")
    project.orders([order(1)])
    assert project.cli("plan", "--markdown-out", "comment.md") == 0
    text = capsys.readouterr().out
    saved = (project.folder / "comment.md").read_text()
    assert text.endswith("Plan: 1 to add, 0 to change, 0 to destroy; 1 to sync, 1 to import; "
                         "1 to schedule, 0 to reschedule, 0 to cancel, 0 to send.\n")  # fmt: skip
    assert saved.startswith("<!-- ekomi-reconcile:plan -->\n### 1 customer scheduled · 1 account added\n")
    assert "100000001" in saved
    assert "(sensitive)" in saved
    project.cli("plan", "--format", "markdown")

    def timeless(each):
        return re.sub(r"\S+ \S+ UTC · ", "", each)

    assert timeless(capsys.readouterr().out) == timeless(saved)
