"""The page in a real browser: it runs, asks nobody, sorts, filters, fits, and is accessible."""

import re

import msgspec
import pytest
import report_support
from axe_playwright_python.sync_playwright import Axe

from ekomi_reconcile.render.tables import DASH
from ekomi_reconcile.report.data import ListLimits

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
HOSTILE = (
    "<script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 1">',
    "'-alert(1)-'{{ 7 * 7 }}",
    "مراجعات المتجر العربي",
    "本店のレビュー依頼アカウント",
    "W" * 255,
    "sly \u202egnirts\u2069 \x07",
)
EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LINKS = ("javascript:window.ran=1", "JaVaScRiPt:window.ran=1", "data:text/html,<script>window.ran=1</script>")


@pytest.fixture(scope="module")
def address(shop, tmp_path_factory):
    """The address of the page about the shop."""
    return written(report_support.page_of(shop), tmp_path_factory.mktemp("page"))


def written(text, folder):
    """Write a page; its address."""
    path = folder / "index.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


class Visit:
    """A look at a page, with all that the browser has to say about it."""

    def __init__(self, browser, address, **more):
        self.context = browser.new_context(viewport=more.pop("viewport", DESK), **more)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def column(self, table, head):
        """What stands in a column, from the top, as far as it is shown."""
        cells = """([table, head]) => { const whole = document.getElementById(table);
            const place = [...whole.tHead.rows[0].cells].findIndex((cell) => cell.innerText.startsWith(head));
            const rows = [...whole.tBodies[0].rows].filter((row) => row.offsetParent !== null);
            return rows.map((row) => row.cells[place].innerText.split("\\n")[0]); }"""
        return self.page.evaluate(cells, [table, head])

    def head(self, table, name):
        """The button of a column."""
        return self.page.locator(f"#{table} thead").get_by_role("button", name=re.compile(f"^{name}"))

    def sorted_by(self, table):
        """Which columns say that they are sorted, and how."""
        heads = self.page.locator(f"#{table} thead th[aria-sort]").all()
        return [(each.inner_text().strip(), each.get_attribute("aria-sort")) for each in heads]

    def width(self):
        """How wide the page is, beyond the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture
def visit(browser):
    """Makes visits, and ends them."""
    made = []

    def make(address, **more):
        made.append(Visit(browser, address, **more))
        return made[-1]

    yield make
    for each in made:
        each.context.close()


def test_nothing_is_asked_for_but_the_page(visit, address):
    """One request, no word of complaint; following a link within stays on the page."""
    seen = visit(address)
    seen.page.get_by_role("link", name="Runs", exact=True).click()
    assert seen.page.url == f"{address}#runs"
    assert seen.asked == [address]
    assert seen.said == []


def test_the_policy_forbids_what_the_page_does_not_hold(visit, address):
    """A script, a style or a request that somebody slips in is stopped by the browser."""
    seen = visit(address)
    slip = """() => { const script = document.createElement('script');
        try { script.text = 'window.ran = 1'; document.body.append(script); } catch (error) { }
        document.body.setAttribute('style', 'border: 9px solid red');
        return fetch('https://example.com/').then(() => 'asked', () => 'stopped'); }"""
    assert seen.page.evaluate(slip) == "stopped"
    assert seen.page.evaluate("[window.ran, getComputedStyle(document.body).borderTopWidth]") == [None, "0px"]


def test_sorting_by_mouse(visit, address):
    """A click sorts numbers from the largest, a second one turns them round; the head says so."""
    seen = visit(address)
    seen.head("accounts-table", "Invited").click()
    numbers = [int(each) for each in seen.column("accounts-table", "Invited")]
    assert numbers == sorted(numbers, reverse=True)
    assert seen.sorted_by("accounts-table") == [("Invited in 30 days", "descending")]
    seen.head("accounts-table", "Invited").click()
    assert [int(each) for each in seen.column("accounts-table", "Invited")] == sorted(numbers)
    assert seen.sorted_by("accounts-table") == [("Invited in 30 days", "ascending")]


def test_sorting_by_keyboard(visit, address):
    """Tab reaches a head, Enter and space sort by it, and it is told to who does not see it."""
    seen = visit(address)
    assert seen.sorted_by("accounts-table") == [("Name", "ascending")]
    seen.page.locator("#accounts-table").locator("xpath=..").focus()
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    assert seen.column("accounts-table", "Name") == [
        "Norway",
        "Germany",
        "France",
        "Brand B disabled",
        "Brand A",
    ]
    assert seen.page.locator("#announcer").inner_text() == "Sorted by Name, descending"
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Space")
    assert seen.sorted_by("accounts-table") == [("Score", "descending")]
    assert seen.column("accounts-table", "Name")[0] == "Germany"
    shown = seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert shown == "solid"


def test_absent_values_come_last_either_way(visit, shop, tmp_path):
    """Sorting by a time that not every row has never puts the empty ones first."""
    text = report_support.page_of(shop, ListLimits(invitations=600))
    seen = visit(f"{written(text, tmp_path)}#queue")
    seen.page.get_by_role("search", name="Invitations").get_by_label("Find").fill("0")
    for _ in range(2):
        seen.head("invitations-table", "Scheduled").click()
        seen.head("invitations-table", "Sent").click()
        sent = seen.column("invitations-table", "Sent")
        first_empty = sent.index(DASH)
        assert set(sent[first_empty:]) == {DASH}
        seen.head("invitations-table", "Sent").click()
        assert seen.column("invitations-table", "Sent")[-1] == DASH


def test_filtering_by_words_and_state(visit, address):
    """Every word must stand in the row, in any letter case; the count is told."""
    seen = visit(address)
    search = seen.page.get_by_role("search", name="Accounts")
    search.get_by_label("Find").fill("BRAND a")
    assert seen.column("accounts-table", "Name") == ["Brand A", "Brand B disabled"]
    search.get_by_label("Invitations").select_option("disabled")
    assert seen.column("accounts-table", "Name") == ["Brand B disabled"]
    assert search.locator("output").inner_text() == "1 of 5 shown"
    search.get_by_label("Find").fill("")
    search.get_by_label("Invitations").select_option("all")
    assert len(seen.column("accounts-table", "Name")) == 5
    assert search.locator("output").inner_text() == "5 shown"


def test_filtering_by_keyboard_keeps_the_order(visit, address):
    """Typing filters rows that were sorted before, and sorting keeps the filter."""
    seen = visit(address)
    seen.head("accounts-table", "Name").press("Enter")
    search = seen.page.get_by_role("search", name="Accounts")
    search.get_by_label("Find").press_sequentially("brand")
    assert seen.column("accounts-table", "Name") == ["Brand B disabled", "Brand A"]
    seen.head("accounts-table", "Name").press("Space")
    assert seen.column("accounts-table", "Name") == ["Brand A", "Brand B disabled"]


def shown_rows(seen, table):
    """How many rows of a table are shown."""
    return seen.page.locator(f"#{table} tbody tr:visible").count()


def test_sections_are_folded_and_show_five_rows(visit, address):
    """A link to a section opens it; more rows come on request, or where something is looked for."""
    seen = visit(address)
    assert seen.page.locator(".fold > div:visible").count() == 0
    seen.page.locator(".notices").get_by_role("link", name="failed").first.click()
    assert seen.page.locator("#cases").is_visible()
    seen.page.get_by_role("link", name="Invitations", exact=True).click()
    assert shown_rows(seen, "invitations-table") == 5
    seen.page.locator("#queue").get_by_label("Show the latest 50").check()
    assert shown_rows(seen, "invitations-table") == 50
    seen.page.locator("#queue").get_by_label("Show the latest 50").uncheck()
    find = seen.page.get_by_role("search", name="Invitations").get_by_label("Find")
    find.fill(seen.page.locator("#invitations-table tbody th").nth(20).text_content())
    assert shown_rows(seen, "invitations-table") == 1
    seen.head("invitations-table", "Order$").press("Enter")
    assert seen.said == []


def test_without_script_everything_is_there(visit, address):
    """No row, no chart and no table is missing; what needs the script is not shown."""
    plain, full = visit(address, java_script_enabled=False), visit(address)
    rows, shapes = "tbody tr", "svg rect, svg polyline"
    plain.page.locator("#reasons-title").click()
    assert plain.page.locator("#not-invited-caption").is_visible()
    assert plain.page.locator(rows).count() == full.page.locator(rows).count() > 100
    assert plain.page.locator(shapes).count() == full.page.locator(shapes).count() > 100
    assert plain.page.locator("button:visible, .filter:visible").count() == 0
    assert plain.page.locator("#accounts-table tbody tr:visible").count() == 5
    assert plain.said == []


@pytest.fixture(scope="module")
def brief(shop, tmp_path_factory):
    """The same page with few rows of each kind: looking for faults takes time for every element."""
    limits = ListLimits(accounts=5, invitations=3, unclear=1, runs=4, products=2)
    return written(report_support.page_of(shop, limits), tmp_path_factory.mktemp("brief"))


COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WIDTHS = {"phone": PHONE, "tablet": {"width": 1024, "height": 800}, "desk": {"width": 1440, "height": 900}}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", EVERYTHING), ("dark", COLOURS)], ids=["light", "dark"]
)
def test_no_fault_of_accessibility(visit, brief, width, scheme, rules):
    """No rule of WCAG A and AA that can be tested is broken; in the dark, no rule about colours."""
    seen = visit(brief, viewport=WIDTHS[width], color_scheme=scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(seen.page, options={"runOnly": rules, "resultTypes": ["violations"]})
    faults = {(each["id"], each["impact"], len(each["nodes"])) for each in found.response["violations"]}
    assert faults == set()


def test_the_page_is_as_wide_as_the_window(visit, address):
    """Tables scroll within themselves, never the page; their first column stays in sight, and words whole."""
    seen = visit(address)
    seen.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for size in WIDTHS.values():
        seen.page.set_viewport_size(size)
        assert seen.width() == 0
    seen.page.set_viewport_size(PHONE)
    assert seen.width() == 0
    moved = """() => { const table = document.getElementById("details-table");
        const place = table.closest(".scroll");
        place.scrollLeft = 400; const cell = table.tBodies[0].rows[0].cells[0];
        const left = (each) => each.getBoundingClientRect().left;
        return [place.scrollLeft, left(cell) - left(place)]; }"""
    scrolled, left = seen.page.evaluate(moved)
    assert scrolled == 400
    assert -9 <= left <= 9
    broken = """() => [...document.querySelectorAll("td.text bdi, th bdi, .notice-title strong")]
        .filter((each) => !each.textContent.trim().includes(" ") && each.getClientRects().length > 1)
        .map((each) => each.textContent)"""
    assert seen.page.evaluate(broken) == []


def test_printing_shows_whole_tables_on_white(visit, address):
    """Paper gets two pages without tools, and what was unfolded; whatever the screen has, no dark ground."""
    seen = visit(address, color_scheme="dark", viewport={"width": 1032, "height": 700})
    seen.page.emulate_media(media="print")
    assert seen.page.locator("nav:visible, .filter:visible").count() == 0
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.width() <= 0
    assert pages(seen) == 2
    seen.page.evaluate("document.querySelectorAll('.fold').forEach((each) => { each.open = true; })")
    assert pages(seen) > 2


def pages(seen):
    """How many pages the print has."""
    return len(re.findall(rb"/Type\s*/Page\b", seen.page.pdf(prefer_css_page_size=True)))


def test_who_wants_no_motion_gets_none(visit, address):
    """Scrolling is smooth only for those who have nothing against it."""
    how = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(address, reduced_motion="reduce").page.evaluate(how) == "auto"
    assert visit(address, reduced_motion="no-preference").page.evaluate(how) == "smooth"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_hostile_names_neither_run_nor_break_the_page(visit, hostile, viewport):
    """Names, errors and links of any kind are text: nothing runs, nothing is asked, the width holds."""
    seen = visit(hostile, viewport=viewport)
    for each in seen.page.locator("#accounts-table thead button").all():
        each.click()
    seen.page.get_by_role("search", name="Accounts").get_by_label("Find").fill("<script>")
    assert seen.page.evaluate("window.ran") is None
    assert seen.column("accounts-table", "Name") == ["<script>window.ran = 1</script>"]
    assert seen.asked == [hostile]
    assert seen.said == []
    assert seen.width() == 0
    links = seen.page.locator("#accounts-table a").evaluate_all("all => all.map((each) => each.href)")
    assert [each for each in links if not re.match("https?://", each)] == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The page about accounts whose names and links mean harm."""
    folder = tmp_path_factory.mktemp("hostile")
    with report_support.opened(folder, report_support.Mode.CREATE) as state:
        for place, name in enumerate(HOSTILE):
            key = str(place + 1)
            state.accounts.save(report_support.an_account(key, name), now=report_support.NOW)
            shop = report_support.ShopData(
                account_name=name, locale=name[:20], review_page=(*LINKS, "https://example.com/r")[place % 4]
            )
            state.accounts.record_shop_data(key, shop, now=report_support.NOW)
            state.accounts.record_error(key, name, now=report_support.NOW)
            order = report_support.an_order(place + 1, key, scheduled_at=report_support.NOW)
            state.schedule.add(
                [msgspec.structs.replace(order, number=name, store_view=name)], now=report_support.NOW
            )
            state.journal.add("apply", outcome=name, subject=name, commit=name, now=report_support.NOW)
    return written(report_support.page_of(folder), folder)
