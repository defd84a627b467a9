"""The page as text: what it says, what it must never say, and that it depends on nothing."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_support
from golden import check_golden
from report_support import NOW, opened

from ekomi_reconcile import __version__
from ekomi_reconcile.model.invitation import SendOutcome
from ekomi_reconcile.model.review import Review, wilson
from ekomi_reconcile.render.report import is_ours, page_html
from ekomi_reconcile.report import make_report
from ekomi_reconcile.report.data import ListLimits
from ekomi_reconcile.state.opening import Mode

GOLDEN = Path(__file__).parent / "golden"
FEW = ListLimits(accounts=3, invitations=7, unclear=1, runs=4, products=2)
CANARY = "canary-of-a-customer"


@pytest.fixture(scope="module")
def page(shop):
    """The page about the shop."""
    return report_support.page_of(shop)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.all, self.parts, self._inside = [], {}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.parts.setdefault(self._inside, []).append(data)

    def handle_endtag(self, tag):
        self._inside = None


def without_parts(text):
    """The page without style, script, their digests and the version, which change for other reasons."""
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", text, flags=re.DOTALL)
    return re.sub(r"sha256-[\w+/=]+", "sha256-…", text).replace(__version__, "VERSION")


def test_the_page_as_it_was_found_good(shop):
    """The page about a fixed state at a fixed time, to the letter."""
    check_golden(GOLDEN / "page.html", without_parts(report_support.page_of(shop, FEW)))


def test_an_empty_state_as_a_page(tmp_path):
    """Without anything recorded the page says so in every section."""
    with opened(tmp_path, Mode.CREATE) as state:
        text = page_html(make_report(state, now=NOW), clean=str)
    for said in (
        "Next: add an account",
        "no accounts yet",
        "Nothing is due",
        "Nothing was done yet",
        "No reviews have been",
        "No invitation failed",
        "0 orders in 30 days",
    ):
        assert said in text
    assert 'id="chart-weeks"' not in text


def test_the_policy_names_exactly_what_the_page_holds(page):
    """The digests in the policy are those of the one style and the one script; there are no handlers."""
    found = Elements(page)
    digests = {
        tag: base64.b64encode(hashlib.sha256("".join(parts).encode()).digest()).decode()
        for tag, parts in found.parts.items()
    }
    policy = next(each["content"] for tag, each in found.all if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digests['style']}';" in policy
    assert f"script-src 'sha256-{digests['script']}';" in policy
    assert [
        each for _, each in found.all if any(name.startswith("on") or name == "style" for name in each)
    ] == []


def test_nothing_is_loaded_from_anywhere(page):
    """No element names a source, and the style asks for none."""
    found = Elements(page)
    assert [tag for tag, each in found.all if "src" in each or "srcset" in each] == []
    assert {tag for tag, each in found.all if re.match("https?:", each.get("href", ""))} == {"a"}
    assert not re.search(r"url\(|@import|@font-face", "".join(found.parts["style"]))


def test_every_column_of_the_grid_is_there(page):
    """Six of the accounts; their details have what ``accounts list`` has, and the way to eKomi."""
    table = page.split('id="accounts-table"')[1].split("</table>")[0]
    heads = re.findall(r"<th scope=\"col\"[^>]*>([^<]+)</th>", table)
    assert heads == [
        *("Name", "Score", "Invited in 30 days", "Response rate", "Problems"),
        "Score in 24 months, axis from 1 to 5",
    ]
    table = page.split('id="details-table"')[1].split("</table>")[0]
    heads = re.findall(r"<th scope=\"col\"[^>]*>([^<]+)</th>", table)
    assert heads == [
        *("Name", "Account name at eKomi", "Interface ID", "Locale", "Total reviews", "Average score"),
        *("Invitations", "Queue total", "Queue pending", "Updated", "Last fetched", "Last error"),
        *("ID", "Public page"),
    ]
    assert "https://reviews.ekomi.test/de/review-germany.html" in table
    assert "sync: HTTP 503, eKomi is down" in table


def test_limited_lists_say_so(shop):
    """What is left out is told, with the command that shows all of it."""
    text = report_support.page_of(shop, FEW)
    assert re.search(r"5 of \d{3} invitations\. .* Show the latest 7</label> All of them:", text)
    assert re.search(r"1 of \d invitations\.  ?All of them:", text)
    assert "The first 3 of 5 accounts by name." in text


def test_the_page_is_named_and_in_local_time(shop):
    """The project in the title, times in its zone, the instants of machines in UTC."""
    text = report_support.page_of(shop)
    assert "<title>books: review invitations, 2026-11-30 13:00 Europe/Berlin</title>" in text
    assert '<time datetime="2026-11-30T12:00:00Z">2026-11-30 13:00</time> Europe/Berlin' in text
    assert "(UTC)" not in text
    with opened(shop) as state:
        unnamed = page_html(make_report(state, now=NOW), clean=str)
    assert "<title>Review invitations, 2026-11-30 12:00 UTC</title>" in unnamed


def test_what_needs_a_person_leads_to_its_place(page):
    """Every link within the page has a target."""
    targets = set(re.findall(r' id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert {"cases", "accounts", "runs", "queue"} <= links <= targets
    assert len(re.findall(r' id="([^"]+)"', page)) == len(targets)


def test_days_in_a_row_look_the_same_wherever_they_are(page):
    """What the page says of a rate is what ``reviews funnel`` says of the same invitations."""
    invited, reviewed = (int(each) for each in re.findall(r"; (\d+) of (\d+) invited since", page)[0][::-1])
    low, high = wilson(reviewed, invited)
    assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in page
    assert f"<dd>{100 * reviewed / invited:.1f} %</dd>" in page


def test_every_table_has_a_caption_and_every_chart_its_words(page):
    """Tables are introduced; charts have a name, a sentence and the same figures as a table."""
    tables, charts = page.count("<table"), page.count('<figure class="chart"')
    assert page.count("<caption") == tables
    assert charts == 4
    assert page.count('aria-describedby="chart-') == charts + 1
    assert page.count("as a table</summary>") == charts
    named = len(re.findall(r'<svg[^>]* role="img" aria-label="[^"]+"', page))
    assert page.count("<svg") == named + len(re.findall(r'<svg[^>]* aria-hidden="true"', page))


def test_nothing_personal_reaches_the_page(tmp_path):
    """Whatever the state holds of a customer, or a person wrote about one, stays there."""
    with opened(tmp_path, Mode.CREATE) as state:
        state.accounts.save(
            report_support.an_account("1", "One"), now=NOW, password_digest=f"{CANARY}-password"
        )
        orders = [
            report_support.an_order(place, "1", scheduled_at=NOW, customer=f"{CANARY}-{place}")
            for place in range(3)
        ]
        state.schedule.add(orders, now=NOW)
        sent, skipped, cancelled = (row.id for row in state.aggregates.latest_invitations(3))
        state.sending.claim([sent], now=NOW)
        link = f"https://example.com/{CANARY}"
        state.sending.settle([SendOutcome(id=sent, status=report_support.Status.SENT, at=NOW, link=link)])
        state.invitations.skip(skipped, now=NOW, actor=f"{CANARY}-actor", reason=CANARY)
        state.schedule.cancel({cancelled: CANARY}, now=NOW)
        review = Review(
            order_id=f"{CANARY}-order", submitted_at=NOW, rating=5, text=CANARY, comment=CANARY, title=CANARY
        )
        state.reviews.save_import("1", [review], full=True, now=NOW)
        state.journal.record_error("1", operation=CANARY, kind=CANARY, message=CANARY, now=NOW)
        for action in ("apply", "invitations skip"):
            state.journal.add(action, outcome="done", now=NOW, detail=CANARY)
    text = report_support.page_of(tmp_path)
    assert "100000002" in text
    assert CANARY not in text


def test_secrets_are_taken_out_before_they_are_escaped(tmp_path):
    """A secret with characters that HTML writes otherwise is found all the same."""
    secret = 'p<&"w'
    with opened(tmp_path, Mode.CREATE) as state:
        state.accounts.save(report_support.an_account("1", f"One {secret} two"), now=NOW)
        text = page_html(make_report(state, now=NOW), clean=lambda each: each.replace(secret, "(sensitive)"))
    assert "One (sensitive) two" in text
    assert "p&lt;" not in text


def test_a_page_knows_that_it_is_ours(page):
    """So that no other page is overwritten."""
    assert is_ours(page[:4_096])
    assert not is_ours("<!doctype html><title>Shop</title>")
