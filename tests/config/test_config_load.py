"""Loading: finding files, merging defaults, cross-file errors, origins, digest, odd file systems."""

import os
import time
from pathlib import Path

import pytest
from config_files import ACCOUNT, PROJECT, MemoryTree, account, checked, loaded, rules

from ekomi_reconcile.config.load import check, check_from, find, load, load_from
from ekomi_reconcile.config.order_sources import SourceKind
from ekomi_reconcile.config.source import DiskTree, KeepingTree, OutOfLimits
from ekomi_reconcile.model.errors import ConfigurationInvalid, ConfigurationNotFound
from ekomi_reconcile.model.invitation import CustomerLimit
from ekomi_reconcile.model.rule import Deliver, Selection

EXAMPLES = Path(__file__).parents[2] / "accounts.d"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on disk with one account; the working directory is its folder."""
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "ekomi-reconcile.yaml").write_text(PROJECT)
    (tmp_path / "accounts.d" / "de.yaml").write_text(ACCOUNT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_find_in_the_folder(project: Path) -> None:
    """The project file is found in the folder, or where it is said to be."""
    assert find(Path()) == Path("ekomi-reconcile.yaml")
    assert find(project) == project / "ekomi-reconcile.yaml"
    assert find(Path(), project / "ekomi-reconcile.yaml") == project / "ekomi-reconcile.yaml"


@pytest.mark.parametrize("explicit", [None, Path("other.yaml")])
def test_no_project_file(tmp_path: Path, explicit: Path | None) -> None:
    """Without a project file the error says how to name one."""
    with pytest.raises(ConfigurationNotFound) as caught:
        find(tmp_path, explicit)
    assert "--config" in str(caught.value.hint)
    with pytest.raises(ConfigurationNotFound):
        load(tmp_path / "ekomi-reconcile.yaml")


def test_load_from_disk(project: Path) -> None:
    """Files are read from disk; places are as the path was given."""
    configuration = load(Path("ekomi-reconcile.yaml"))
    assert [each.name for each in configuration.accounts] == ["Germany"]
    assert configuration.origins["28374"]["name"] == "accounts.d/de.yaml:1"
    assert configuration.resolve("orders.jsonl") == Path("orders.jsonl")
    absolute = load(project / "ekomi-reconcile.yaml")
    assert absolute.root == project
    assert absolute.origins["28374"]["name"] == f"{project.as_posix()}/accounts.d/de.yaml:1"


def test_invalid_files_raise_with_all_diagnostics(project: Path) -> None:
    """`load` raises with everything that is wrong, in all files."""
    (project / "accounts.d" / "at.yml").write_text("name: [\n")
    (project / "accounts.d" / "de.yaml").write_text(ACCOUNT + "tags: []\n")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(Path("ekomi-reconcile.yaml"))
    assert [str(each.place) for each in caught.value.diagnostics if each.is_error] == [
        "accounts.d/at.yml:2:1",
        "accounts.d/de.yaml:4:7",
    ]


def test_folders_below_are_read_in_order(project: Path) -> None:
    """Every .yaml and .yml below the folder is read, sorted by path; nothing else is."""
    inner = project / "accounts.d" / "eu" / "south"
    inner.mkdir(parents=True)
    (inner / "it.yml").write_text(account(1))
    (project / "accounts.d" / "at.yaml").write_text(f"{account(2)}---\n{account(3)}")
    (project / "accounts.d" / "notes.txt").write_text("[")
    ids = [each.interface_id for each in load(Path("ekomi-reconcile.yaml")).accounts]
    assert ids == ["10002", "10003", "28374", "10001"]


def test_folder_without_accounts(project: Path) -> None:
    """An empty folder is valid: whether everything may go is decided elsewhere."""
    (project / "accounts.d" / "de.yaml").unlink()
    configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
    assert configuration is not None
    assert (configuration.accounts, diagnostics) == ((), ())


def test_odd_files_are_diagnostics(project: Path) -> None:
    """A loop of links, a dangling link, a pipe and a folder named like a file neither hang nor crash."""
    folder = project / "accounts.d"
    (folder / "loop").symlink_to("..")
    (folder / "round").symlink_to(".")
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    (folder / "self.yaml").symlink_to("self.yaml")
    (folder / "dir.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
    assert configuration is None
    found = {each.place.path for each in diagnostics if each.place and each.rule == "unreadable-file"}
    assert {
        f"accounts.d/{each}" for each in ("loop", "round", "gone.yaml", "self.yaml", "pipe.yaml")
    } <= found
    assert len(diagnostics) < 10


def test_hidden_names_are_not_account_files(project: Path) -> None:
    """Locks of Emacs, copies of macOS, drafts of editors, folders put aside: none of them is looked at."""
    folder = project / "accounts.d"
    (folder / ".#de.yaml").symlink_to("kim@host.4711:1")
    (folder / "._de.yaml").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    (folder / ".de.yaml.swp.yaml").write_text("[")
    (folder / ".retired").mkdir()
    (folder / ".retired" / "at.yaml").write_text(account(1))
    (folder / "eu").mkdir()
    (folder / "eu" / ".git.yml").write_text("[")
    configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
    assert configuration is not None
    assert [each.name for each in configuration.accounts] == ["Germany"]
    assert rules(diagnostics) == ["all-disabled"]


def test_a_folder_that_is_named_itself_may_be_hidden(project: Path) -> None:
    """Only what is found below the folder is left out, not the folder that the project file names."""
    (project / "accounts.d").rename(project / ".accounts")
    (project / "ekomi-reconcile.yaml").write_text(PROJECT + "accounts: .accounts\n")
    assert len(load(Path("ekomi-reconcile.yaml")).accounts) == 1


def test_the_mount_of_a_config_map_is_read_once(project: Path) -> None:
    """Kubernetes links each file through `..data`, and swaps that link when the content changes."""
    folder = project / "accounts.d"
    for version, name in (("..2026_11_30", "Germany"), ("..2026_12_01", "Deutschland")):
        (folder / version).mkdir()
        (folder / version / "de.yaml").write_text(ACCOUNT.replace("Germany", name))
    (folder / "de.yaml").unlink()
    (folder / "..data").symlink_to("..2026_11_30")
    (folder / "de.yaml").symlink_to("..data/de.yaml")
    assert [each.name for each in load(Path("ekomi-reconcile.yaml")).accounts] == ["Germany"]
    (folder / "..data").unlink()
    (folder / "..data").symlink_to("..2026_12_01")
    assert [each.name for each in load(Path("ekomi-reconcile.yaml")).accounts] == ["Deutschland"]


@pytest.mark.parametrize("name", ["at.YAML", "at.Yml", "at.YML", "eu/at.yamL"])
def test_an_upper_case_extension_is_a_warning(project: Path, name: str) -> None:
    """The file is not read on any system; the warning says so, also from the cache."""
    path = project / "accounts.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("[")
    for _ in range(2):
        configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
        assert configuration is not None
        assert len(configuration.accounts) == 1
        (warning,) = (each for each in diagnostics if each.rule != "all-disabled")
        assert (warning.rule, warning.is_error) == ("upper-case-extension", False)
        assert str(warning.place) == f"accounts.d/{name}:1:1"
        assert str(warning.hint).endswith(f"rename it to {path.stem}{path.suffix.lower()}")
    path.rename(path.with_suffix(".txt"))
    assert rules(check(Path("ekomi-reconcile.yaml"))[1]) == ["all-disabled"]


@pytest.mark.parametrize("content", ["", "\n\n", "---\n", "---\n---\n", "\ufeff", "# " + ACCOUNT[:14] + "\n"])
def test_an_empty_account_file_is_a_warning(project: Path, content: str) -> None:
    """A file without a document is named, in every run; the other files are read."""
    (project / "accounts.d" / "at.yaml").write_text(content)
    for _ in range(2):
        configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
        assert configuration is not None
        assert rules(diagnostics) == ["all-disabled", "empty-account-file"]
        assert configuration.empty_files == ("accounts.d/at.yaml",)


def test_what_is_read_is_bounded(project: Path) -> None:
    """Too many entries, or too many bytes, are one error that names the limit."""
    for number in range(60):
        (project / "accounts.d" / f"{number}.txt").touch()
    _, (found,) = check_from(DiskTree(max_entries=50), "ekomi-reconcile.yaml")
    assert (found.rule, found.found) == ("accounts-folder", "more than 50 files and folders")
    for number in range(60):
        (project / "accounts.d" / f"{number}.txt").unlink()
    for number in range(4):
        (project / "accounts.d" / f"x{number}.yaml").write_text(f"# {'x' * 400_000}\n{account(number + 1)}")
    small = KeepingTree(DiskTree(), max_bytes=1024 * 1024)
    _, diagnostics = check_from(small, "ekomi-reconcile.yaml")
    assert [each.found for each in diagnostics] == ["the files are larger than 1 MiB together"]


def test_what_cannot_be_read_is_named_up_to_a_number_then_counted(project: Path) -> None:
    """Thousands of broken links are no thousands of errors, and none of them goes missing."""
    for number in range(30):
        (project / "accounts.d" / f"{number:02}").symlink_to(".")
    _, diagnostics = check(Path("ekomi-reconcile.yaml"))
    assert rules(diagnostics) == ["unreadable-file"] * 21
    assert any("10 more files and folders" in each.message for each in diagnostics)


def test_links_that_multiply_are_bounded(project: Path) -> None:
    """Two links per level double the paths at every level: the count of paths stops that."""
    for level in range(40):
        folder = project / "accounts.d" / f"d{level}"
        folder.mkdir()
        for name in "ab":
            (folder / name).symlink_to(f"../d{level + 1}")
    (project / "accounts.d" / "d40").mkdir()
    with pytest.raises(OutOfLimits):
        DiskTree(max_entries=5_000).walk("accounts.d")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a system without /proc")
def test_a_folder_of_the_system_ends(project: Path) -> None:
    """`accounts: /proc` is answered, and names the limit or what could not be read."""
    (project / "ekomi-reconcile.yaml").write_text(PROJECT + "accounts: /proc\n")
    began = time.monotonic()
    configuration, diagnostics = check(Path("ekomi-reconcile.yaml"))
    assert configuration is None
    assert diagnostics
    assert time.monotonic() - began < 30


def test_folder_that_cannot_be_walked(project: Path) -> None:
    """A folder that is a link to itself, and folders without end, are diagnostics."""
    (project / "round").symlink_to("round")
    (project / "ekomi-reconcile.yaml").write_text(PROJECT + "accounts: round\n")
    assert rules(check(Path("ekomi-reconcile.yaml"))[1]) == ["accounts-folder"]
    (project / "ekomi-reconcile.yaml").write_text(PROJECT)
    (project / "accounts.d" / "/".join("d" * 150)).mkdir(parents=True)
    assert rules(check(Path("ekomi-reconcile.yaml"))[1]) == ["unreadable-file"]


def test_linked_folder_is_followed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link to a folder elsewhere is a folder like any other."""
    other = tmp_path_factory.mktemp("shared")
    (other / "fr.yaml").write_text(account(5))
    (project / "accounts.d" / "shared").symlink_to(other)
    assert [each.interface_id for each in load(Path("ekomi-reconcile.yaml")).accounts] == ["28374", "10005"]


def test_project_file_that_is_a_folder(tmp_path: Path) -> None:
    """A folder in the place of the project file is a diagnostic."""
    (tmp_path / "ekomi-reconcile.yaml").mkdir()
    _, diagnostics = check(tmp_path / "ekomi-reconcile.yaml")
    assert "unreadable-file" in rules(diagnostics)


def test_accounts_beside_the_project_file(project: Path) -> None:
    """When accounts stand in the same folder the project file is not taken for one."""
    (project / "ekomi-reconcile.yaml").write_text(PROJECT + "accounts: .\n")
    assert [each.name for each in load(Path("ekomi-reconcile.yaml")).accounts] == ["Germany"]


def test_disk_tree_reads_no_more_than_needed(tmp_path: Path) -> None:
    """A huge file is read up to just beyond the limit, so that it can be refused."""
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(1024**3)
    assert len(DiskTree().read(str(huge))) <= 10 * 1024 * 1024 + 1


def test_load_from_another_tree() -> None:
    """The same loading runs over files that are on no disk."""
    tree = MemoryTree(
        {"shop/ekomi-reconcile.yaml": PROJECT.encode(), "shop/accounts.d/a.yaml": ACCOUNT.encode()}
    )
    configuration = load_from(tree, "shop/ekomi-reconcile.yaml")
    assert configuration.origins["28374"]["name"] == "shop/accounts.d/a.yaml:1"
    with pytest.raises(ConfigurationNotFound):
        load_from(tree, "ekomi-reconcile.yaml")


DEFAULTS = """
defaults:
  tags: [a, b]
  priority: 5
  invitations:
    enabled: true
    pending_period: 20
    store_views: {exclude: [x]}
    conditions: {all: [{grand_total: {gt: 1}}, {weight: {lt: 5}}]}
"""


def test_defaults_merge() -> None:
    """Mappings merge; lists, conditions and selections are replaced as a whole."""
    rule = "pending_period: 8, store_views: [de], conditions: {is_guest: {eq: false}}"
    first, second = loaded(
        account(1, rule, tags="[c]"), account(2, "deliver: link"), project=PROJECT + DEFAULTS
    ).accounts
    assert (first.tags, first.priority, first.invitations.enabled) == (("c",), 5, True)
    assert first.invitations.pending_period == 8
    assert first.invitations.store_views == Selection(frozenset({"de"}))
    assert first.invitations.conditions == {"is_guest": {"eq": False}}
    assert (second.tags, second.invitations.pending_period) == (("a", "b"), 20)
    assert second.invitations.store_views == Selection(frozenset({"x"}), exclude=True)
    assert second.invitations.deliver is Deliver.LINK
    assert second.invitations.conditions == {"all": [{"grand_total": {"gt": 1}}, {"weight": {"lt": 5}}]}


def test_origins() -> None:
    """Each effective value says where it comes from: file and line, the defaults, or built in."""
    configuration = loaded("# x\n" + account(1, "pending_period: 8"), project=PROJECT + DEFAULTS)
    origins = configuration.origins["10001"]
    assert origins["interface_id"] == "accounts.d/0.yaml:3"
    assert origins["invitations.pending_period"] == "accounts.d/0.yaml:5"
    assert origins["invitations.enabled"] == "ekomi-reconcile.yaml:8 (defaults)"
    assert origins["tags"] == "ekomi-reconcile.yaml:5 (defaults)"
    assert origins["invitations.deliver"] == "default"
    assert (list(configuration.origins), len(configuration.origins)) == (["10001"], 1)


def test_place_of_an_account() -> None:
    """An account's place is that of its name; an unknown id has none."""
    configuration = loaded(account(1))
    assert str(configuration.place("10001")) == "accounts.d/0.yaml:1:7"
    assert configuration.place("1") is None


SAME = [
    (PROJECT, [account(1, "enabled: true"), account(2)]),
    (PROJECT, [account(2) + "---\n" + account(1, "enabled: true")]),
    (
        "# remark\norders:\n  file: 'orders.jsonl'\nversion: 1\n",
        [account(1, "enabled: TRUE"), account(2, "enabled: false")],
    ),
    (
        PROJECT + "defaults: {priority: 0}\nschedule: {sync_every: 360m}\n",
        [account(1, "'enabled': true"), account(2)],
    ),
]


@pytest.mark.parametrize(("project_text", "accounts"), SAME)
def test_digest_of_equal_values(project_text: str, accounts: list[str]) -> None:
    """Comments, order, quotes, files and spelled-out defaults do not change the digest."""
    expected = loaded(*SAME[0][1]).digest
    assert loaded(*accounts, project=project_text).digest == expected
    assert expected.startswith("sha256:")


@pytest.mark.parametrize(
    ("project_text", "accounts"),
    [
        (PROJECT, [account(1), account(2)]),
        (PROJECT, [account(1, "enabled: true"), account(2, priority="1")]),
        (PROJECT, [account(1, "enabled: true")]),
        ("version: 1\norders: {file: other.jsonl}\n", SAME[0][1]),
        (PROJECT + "safety: {max_sends: 5}\n", SAME[0][1]),
    ],
)
def test_digest_of_other_values(project_text: str, accounts: list[str]) -> None:
    """Any value that decides what a run does changes the digest."""
    assert loaded(*accounts, project=project_text).digest != loaded(*SAME[0][1]).digest


def test_duplicate_names_and_ids() -> None:
    """A name (whatever its case) or id that occurs twice is an error that names both places."""
    _, diagnostics = checked(
        account(1, name="Germany"), account(2, name="GERMANY"), account(3, interface_id='"10001"')
    )
    errors = [each for each in diagnostics if each.is_error]
    assert [each.rule for each in errors] == ["duplicate-name", "duplicate-interface-id"]
    assert [str(each.place) for each in errors] == ["accounts.d/1.yaml:1:7", "accounts.d/2.yaml:2:15"]
    assert "accounts.d/0.yaml:1:7" in errors[0].message
    assert "accounts.d/0.yaml:2:15" in errors[1].message


NAMED = "version: 1\norders: {eu: {file: eu.jsonl}, us: {file: us.jsonl}}\n"


def test_order_source_must_be_said() -> None:
    """With several sources and none called default, an account must say which is its own."""
    _, diagnostics = checked(account(1), account(2, orders="us"), project=NAMED)
    errors = [each for each in diagnostics if each.is_error]
    assert [(each.rule, str(each.place)) for each in errors] == [
        ("order-source-missing", "accounts.d/0.yaml:1:7")
    ]
    assert "orders: eu" in str(errors[0].hint)


@pytest.mark.parametrize(
    ("orders", "keys", "source"),
    [
        ("{file: x}", {}, "default"),
        ("{file: x}", {"orders": "default"}, "default"),
        ("{eu: {file: x}}", {}, "eu"),
        ("{eu: {file: x}, us: {file: y}}", {"orders": "us"}, "us"),
        ("{eu: {file: x}, default: {file: y}}", {}, "default"),
    ],
)
def test_order_source_of_an_account(orders: str, keys: dict[str, str], source: str) -> None:
    """The source is the one that is named, else `default`, else the only one there is."""
    assert loaded(account(1, **keys), project=f"version: 1\norders: {orders}\n").accounts[0].orders == source


def test_default_order_source() -> None:
    """The source may come from the defaults; a wrong one there is told once, where it stands."""
    configuration = loaded(account(1), project=NAMED + "defaults: {orders: us}\n")
    assert configuration.accounts[0].orders == "us"
    _, diagnostics = checked(account(1), account(2), project=NAMED + "defaults: {orders: uk}\n")
    assert rules(diagnostics) == ["order-source-unknown"]


def test_broken_account_does_not_hide_the_others() -> None:
    """An invalid document still counts for duplicates, and the others are still checked."""
    _, diagnostics = checked(account(1, tags="[]"), account(1, protect="maybe"))
    assert {"duplicate-name", "duplicate-interface-id", "empty-list", "wrong-type"} == set(rules(diagnostics))


def test_settings_of_an_empty_project() -> None:
    """Everything but the version has a default, in seconds where it is a time."""
    settings = loaded(project="version: 1\n").project
    assert (settings.accounts, settings.state, settings.orders) == (
        "accounts.d",
        ".ekomi-reconcile/state.db",
        {},
    )
    assert (settings.schedule.sync_every, settings.schedule.import_reviews_every) == (6 * 3600, 12 * 3600)
    assert (settings.ekomi.api_url, settings.ekomi.srr_url) == (
        "https://api.ekomi.de/v3",
        "https://srr.ekomi.com",
    )
    assert (settings.ekomi.requests_per_second, settings.ekomi.parallelism, settings.ekomi.timeout) == (
        5,
        10,
        30,
    )
    safety = settings.safety
    assert (safety.max_delete_percent, safety.max_sends, safety.max_schedules) == (30, 1000, 10000)
    privacy = settings.privacy
    assert (privacy.key, privacy.retention, privacy.max_per_customer, privacy.suppress) == (
        None,
        None,
        None,
        None,
    )


FULL = """
version: 1
state: postgresql://db.example/ekomi
orders:
  eu:
    magento:
      base_url: https://shop.example
      oauth:
        consumer_key: ${env:A}
        consumer_secret: ${env:B}
        access_token: ${env:C}
        access_token_secret: ${env:D}
      annotate: true
    stores: {1: de, 2: at}
    customer_groups: {4: VIP}
  us: {file: us.jsonl}
schedule: {sync_every: 1w, import_reviews_every: 90m}
ekomi: {requests_per_second: 0.5, parallelism: 64, timeout: 5s}
privacy: {key: "${file:key}", retention: 730d, max_per_customer: {count: 1, days: 90}, suppress: list.txt}
"""


def test_settings_of_a_full_project() -> None:
    """All settings arrive as frozen values."""
    settings = loaded(project=FULL).project
    shop, file = settings.orders["eu"], settings.orders["us"]
    assert (shop.kind, file.kind, file.file, file.magento) == (
        SourceKind.MAGENTO,
        SourceKind.FILE,
        "us.jsonl",
        None,
    )
    assert shop.magento is not None
    assert shop.magento.oauth is not None
    assert (shop.magento.token, shop.magento.oauth.access_token, shop.magento.annotate) == (
        None,
        "${env:C}",
        True,
    )
    assert (shop.stores, shop.customer_groups) == ({1: "de", 2: "at"}, {4: "VIP"})
    assert (settings.schedule.sync_every, settings.schedule.import_reviews_every) == (604_800, 5_400)
    assert settings.ekomi.requests_per_second == 0.5
    assert settings.privacy.retention == 730 * 86_400
    assert settings.privacy.max_per_customer == CustomerLimit(count=1, days=90)


def test_examples_are_clean(tmp_path: Path) -> None:
    """The example accounts load without an error or a warning, and teach what they promise to."""
    (tmp_path / "accounts.d").symlink_to(EXAMPLES)
    (tmp_path / "ekomi-reconcile.yaml").write_text(PROJECT)
    configuration, diagnostics = check(tmp_path / "ekomi-reconcile.yaml")
    assert configuration is not None
    assert diagnostics == ()
    assert {each.name: each.interface_id for each in configuration.accounts} == {
        "Brand A": "10001",
        "Brand B": "10002",
        "France": "28375",
        "Germany": "28374",
        "Norway": "28376",
    }
    views = [each.invitations.store_views.names or frozenset() for each in configuration.accounts]
    assert frozenset().union(*views) == {"brand_a", "brand_b", "de", "at", "fr", "no"}
    assert {each.invitations.deliver for each in configuration.accounts} == set(Deliver)
    assert {each.orders for each in configuration.accounts} == {"default"}


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_examples_name_their_schema(file: Path) -> None:
    """The first line of an example leads editors to the schema."""
    first = file.read_text(encoding="utf-8").splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / schema).resolve() == (EXAMPLES.parent / "schemas" / "account.schema.json").resolve()
