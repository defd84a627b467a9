"""The cache of documents: what it serves is what reading anew would bring, whatever happens to it."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speed_support import NAME, PROJECT, account, counted, make, seen, seen_anew
from tiers import examples

from ekomi_reconcile.config import configuration
from ekomi_reconcile.config.cache import FOLDER, Cache, KnownFiles
from ekomi_reconcile.config.load import check, load
from ekomi_reconcile.config.source import Document, Source
from ekomi_reconcile.model.errors import ConfigurationInvalid

READ = "config.yaml.read"
CHECKED = "config.validate.account_problems"

CONTENTS = st.sampled_from(
    [
        account(1),
        account(1, "invitations: {enabled: true, skip_orders_older_than: 0}"),
        account(2, "tags: [ü, b]", "invitations: {enabled: true, conditions: {grand_total: {gte: 1e19}}}"),
        "\ufeff# a remark\n" + account(3) + "---\n" + account(4, "priority: -0", "protect: true"),
        account(5, "orders: eu"),
        account(6, "invitations: {enabled: true, store_views: {exclude: [b]}, spread: 2d}"),
        account(7, "invitations: {order_statuses: [closed]}"),
        account(8, "nonsense: 1"),
        account(9).replace("${env:", "${vault:"),
        "name: [\n",
        "- 1\n",
        "\t",
        "",
    ]
)
PROJECTS = st.sampled_from(
    [
        PROJECT,
        PROJECT + "defaults: {tags: [x], invitations: {pending_period: 20}}\n",
        PROJECT + "ekomi: {requests_per_second: 2.5}\nsafety: {max_delete_percent: 5}\n",
        PROJECT + "ekomi: {requests_per_second: 2}\nschedule: {sync_every: 2d}\n",
        "version: 1\norders: {eu: {file: a.jsonl, stores: {1: de}}, us: {file: b.jsonl}}\n",
        "version: 1\naccounts: elsewhere\n",
        "version: 2\n",
        "version: [\n",
        "",
    ]
)
FILES = st.sampled_from(["0.yaml", "1.yml", "sub/2.yaml"])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), FILES, CONTENTS),
        st.tuples(st.just("remove"), FILES, st.none()),
        st.tuples(st.just("project"), st.none(), PROJECTS),
        st.tuples(st.just("damage"), st.sampled_from(["configuration", "documents"]), st.integers(0, 5_000)),
        st.tuples(st.just("nothing"), st.none(), st.none()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(60), deadline=None)
@given(edits=EDITS)
def test_the_cache_changes_nothing_that_anybody_sees(edits):
    """After every edit: configuration, digest, origins, places and diagnostics are as if read anew."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = make(folder, account(1))
        for edit in edits:
            _do(folder, *edit)
            assert seen(path) == seen_anew(path)
            assert seen(path) == seen_anew(path)


def _do(folder: Path, edit: str, target: str | None, value) -> None:
    if edit == "project":
        (folder / NAME).write_text(value)
    elif edit == "write":
        file = folder / "accounts.d" / target
        file.parent.mkdir(exist_ok=True)
        file.write_text(value)
    elif edit == "remove":
        (folder / "accounts.d" / target).unlink(missing_ok=True)
    elif edit == "damage" and (file := folder / FOLDER / target).exists():
        content = bytearray(file.read_bytes())
        content[value % len(content)] ^= 0x40
        file.write_bytes(content)


def test_what_is_known_is_not_parsed(tmp_path):
    """Nothing is parsed or checked where nothing changed, and after one edit only what was edited."""
    path = make(tmp_path, *(account(number) for number in range(6)))
    first = counted(lambda: load(path))
    assert (first[READ], first[CHECKED]) == (7, 6)
    again = counted(lambda: load(path))
    assert (again[READ], again[CHECKED]) == (0, 0)
    (tmp_path / "accounts.d" / "3.yaml").write_text(account(3, "tags: [new]"))
    edited = counted(lambda: load(path))
    assert (edited[READ], edited[CHECKED]) == (2, 1), "the edited file, and the project file"
    assert counted(lambda: load(path))[READ] == 0


def test_the_account_asked_for_is_the_only_one_parsed(tmp_path):
    """Where an account stands is found by parsing its file and the project file, not all of them."""
    path = make(tmp_path, *(account(number) for number in range(6)))
    fresh = load(path)
    known = load(path)
    found = counted(lambda: known.origins["10004"])
    assert found[READ] == 2
    assert known.origins["10004"] == fresh.origins["10004"]
    assert known.place("10004") == fresh.place("10004")
    assert known.place("99") is None
    assert len(known.origins) == len(fresh.origins) == 6


def test_files_with_mistakes_are_never_kept(tmp_path):
    """What is wrong is found anew each time; what is right beside it is known."""
    path = make(tmp_path, account(0), account(1, "nonsense: 1"), "name: [\n")
    for reads in (4, 3, 3):
        counts = counted(lambda: check(path))
        assert (counts[READ], check(path)[0]) == (reads, None)
    with pytest.raises(ConfigurationInvalid):
        load(path)


@pytest.mark.parametrize("name", ["configuration", "documents"])
@pytest.mark.parametrize("damage", ["cut", "empty", "other", "more", "shape"])
def test_damage_is_absence(tmp_path, name, damage):
    """However a file of the cache is damaged, it is as if it were not there, and it is made anew."""
    path = make(tmp_path, account(0), account(1, "invitations: {skip_orders_older_than: 0}"))
    expected = seen(path)
    file = tmp_path / FOLDER / name
    content = file.read_bytes()
    body = msgspec.msgpack.encode(["something", 1])
    file.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "other": b"SQLite format 3\0" * 9,
            "more": content + b"\0",
            "shape": sha256(body).digest() + body,
        }[damage]
    )
    (tmp_path / "accounts.d" / "0.yaml").touch()
    assert seen(path) == expected == seen_anew(path)


def test_other_code_reads_anew(tmp_path):
    """What another version of the program has kept is not used, however sound it is."""
    path = make(tmp_path, account(0))
    load(path)
    for name in ("configuration", "documents"):
        file = tmp_path / FOLDER / name
        parts = msgspec.msgpack.decode(file.read_bytes()[32:])
        body = msgspec.msgpack.encode([b"other code", *parts[1:]])
        file.write_bytes(sha256(body).digest() + body)
    assert counted(lambda: load(path))[READ] == 2
    assert counted(lambda: load(path))[READ] == 0


def test_what_a_plug_in_resolves_is_an_error_without_it(tmp_path, monkeypatch):
    """A kind of secret reference is known as long as its plug-in is installed, also to the cache."""
    info = tmp_path / "vault-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: vault\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{configuration.ENTRY_POINTS}]\nvault = builtins:str\n")
    path = make(tmp_path, account(0).replace("${env:", "${vault:"))
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        configuration._plug_ins.cache_clear()
        assert [len(load(path).accounts), len(load(path).accounts)] == [1, 1]
    configuration._plug_ins.cache_clear()
    assert [each.rule for each in check(path)[1]] == ["secret-kind"]


def test_what_cannot_be_read_is_not_overlooked(tmp_path):
    """A link that leads back, a folder in place of a file: errors, though all files are as they were."""
    path = make(tmp_path, account(0))
    assert load(path) == load(path)
    loop = tmp_path / "accounts.d" / "back"
    loop.symlink_to("..")
    assert seen(path) == seen_anew(path)
    assert [each.rule for each in check(path)[1]] == ["unreadable-file"]
    loop.unlink()
    assert check(path)[0] is not None
    (tmp_path / "accounts.d" / "pipe.yaml").symlink_to("nowhere")
    assert seen(path) == seen_anew(path)
    assert check(path)[0] is None


def test_names_that_are_no_text(tmp_path):
    """A file whose name is no UTF-8 is read like any other, with its warnings."""
    path = make(tmp_path, account(0, "invitations: {skip_orders_older_than: 0}"))
    (tmp_path / "accounts.d" / "0.yaml").rename(os.fsdecode(bytes(tmp_path / "accounts.d") + b"/\xff.yaml"))
    assert seen(path) == seen_anew(path)
    assert seen(path)[0] is not None
    assert seen(path)[-1]


def test_private_and_without_secrets(tmp_path, monkeypatch):
    """The files of the cache are their owner's, and hold references only."""
    monkeypatch.setenv("PASSWORD_0", "canary-4711")
    path = make(tmp_path, account(0))
    load(path)
    files = sorted((tmp_path / FOLDER).iterdir())
    assert [each.name for each in files] == ["configuration", "documents"]
    for each in files:
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert b"canary" not in each.read_bytes()
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700


def test_no_place_no_cache(tmp_path):
    """Looking at files makes no folder, and where the cache cannot be written all goes on without."""
    path = make(tmp_path, account(0))
    (tmp_path / ".ekomi-reconcile").rmdir()
    expected = seen_anew(path)
    assert seen(path) == expected
    assert sorted(each.name for each in tmp_path.iterdir()) == ["accounts.d", NAME]
    (tmp_path / ".ekomi-reconcile").touch()
    assert seen(path) == expected


def test_the_cache_does_not_grow_for_ever(tmp_path):
    """Beyond what is there now, as much again and a little more is kept: the oldest go first."""
    (tmp_path / ".ekomi-reconcile").mkdir()
    document = Document(source=Source("a", ""), data={"name": "a"}, start=0, end=0, line=0, column=0)
    for generation in range(4):
        files = KnownFiles(Cache(tmp_path))
        for number in range(800):
            files.keep(b"%d %d" % (generation, number), [document])
        files.save()
    kept = KnownFiles(Cache(tmp_path))
    assert [
        sum(kept.find("a", b"%d %d" % (generation, number)) is not None for number in range(800))
        for generation in range(4)
    ] == [200, 800, 800, 800]


def test_a_file_is_read_once(tmp_path):
    """What the digest says and what is parsed are the same bytes."""
    path = make(tmp_path, *(account(number) for number in range(5)))
    assert counted(lambda: load(path))["config.source._read_all"] == 6
    (tmp_path / "accounts.d" / "3.yaml").write_text(account(3, "tags: [new]"))
    assert counted(lambda: load(path))["config.source._read_all"] == 6
