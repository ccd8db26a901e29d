"""Whole JSON of the wrong type: damage that names the file and the field, whichever small file it is in."""

import copy
import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import pytest
from store_factory import calibration_at, make_store

import store
from store.errors import DamageError, FormatError
from store.format.decode import decode, decoded
from store.format.header import HEADER
from store.format.json_file import from_json, to_json
from store.format.record import Record, data_name
from store.format.record_files import MANIFEST
from store.gold.calibration import add_calibration, calibrations
from store.selections.selection import read_card
from store.storage import MemoryStorage


class Extent(TypedDict):
    rows: int
    note: NotRequired[str]


@dataclass(frozen=True)
class Inner:
    size: int


@dataclass(frozen=True)
class Outer:
    name: str
    share: float = 0.0
    done: bool = False
    inner: Inner | None = None
    parts: list[Inner] = field(default_factory=list)
    by_name: dict[str, list[str]] = field(default_factory=dict)
    extents: list[Extent] = field(default_factory=list)
    limit: int | str | None = None
    anything: Any = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("it has an empty name")


def test_a_whole_value_becomes_what_its_class_declares() -> None:
    value = {
        "name": "a",
        "share": 1,
        "done": True,
        "inner": {"size": 2},
        "parts": [{"size": 3}],
        "by_name": {"x": ["y"]},
        "extents": [{"rows": 4, "more": None}],
        "limit": "all",
        "anything": [{}],
    }
    made = decode(Outer, copy.deepcopy(value), place="f")
    assert made == Outer("a", 1.0, True, Inner(2), [Inner(3)], {"x": ["y"]}, [{"rows": 4, "more": None}], "all", [{}])  # type: ignore[typeddict-unknown-key]
    assert type(made.share) is float
    assert decode(Outer, {"name": "a"}, place="f") == Outer("a")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": 1}, "name is 1, and must be a text"),
        ({"name": None}, "name is None, and must be a text"),
        ({"name": ""}, "it has an empty name"),
        ({"share": "1"}, "share is '1', and must be a number"),
        ({"share": True}, "share is True, and must be a number"),
        ({"done": 1}, "done is 1, and must be true or false"),
        ({"inner": 1}, "inner is 1, and must be an object or null"),
        ({"inner": {"size": "x"}}, "inner.size is 'x', and must be a whole number"),
        ({"inner": {}}, "inner has no size"),
        ({"parts": {}}, "parts is {}, and must be a list"),
        ({"parts": [{"size": 1}, {"size": 1.0}]}, "parts[1].size is 1.0, and must be a whole number"),
        ({"parts": [[]]}, "parts[0] is [], and must be an object"),
        ({"by_name": {"x": ["y", 1]}}, "by_name.x[1] is 1, and must be a text"),
        ({"by_name": {"x": "y"}}, "by_name.x is 'y', and must be a list"),
        ({"extents": [{"note": "n"}]}, "extents[0] has no rows"),
        ({"extents": [{"rows": 1, "note": 1}]}, "extents[0].note is 1, and must be a text"),
        ({"limit": []}, "limit is [], and must be a whole number or a text or null"),
        ({"more": 1, "most": 2}, "it has 'more', 'most', which this version does not know"),
        ({"name": ["x" * 99]}, f"name is {repr(['x' * 99])[:57]}..., and must be a text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DamageError) as caught:
        decode(Outer, {"name": "a", **changes}, place="a/b.json")
    assert str(caught.value) == f"a/b.json is damaged: {problem}"


@pytest.mark.parametrize("value", [None, 1, "x", [], [1]])
def test_what_is_no_object_is_damage(value: object) -> None:
    with pytest.raises(DamageError, match="and must be an object"):
        decode(Outer, value, place="f")
    with pytest.raises(DamageError, match="must be an object"):
        decode(Extent, value, place="f")


# The small files of a store.

WRONG = [None, True, -1, 1.5, "x", [], [1], [None], {}, {"x": 1}, [{"path": 1}], {"file": 1}, {"x": [1]}]


def asks(made: store.Store, name: str) -> Any:
    """What reads the file ``name``."""
    if name == HEADER:
        return lambda: store.open(made.storage).extras()
    if name.startswith("selections/"):
        return lambda: read_card(made, "some")
    if "calibration" in name:
        return lambda: calibrations(made, "bert")
    return lambda: store.open(made.storage).label_set("bert").records(manifest=name.endswith(MANIFEST))


def small_files() -> tuple[store.Store, list[str]]:
    made = make_store(MemoryStorage(), rows=50)
    made.select("some", where="row < 20")
    add_calibration(made, calibration_at(1.5))
    return made, [
        HEADER,
        f"labels/bert/{MANIFEST}",
        "labels/bert/00001.json",
        "labels/bert/calibration-1.json",
        "selections/some.json",
    ]


FIELDS = [(file, name) for file in small_files()[1] for name in from_json(small_files()[0].storage, file)]


@pytest.mark.parametrize(("file", "name"), FIELDS)
def test_a_field_of_any_wrong_type_is_damage_that_names_file_and_field(file: str, name: str) -> None:
    made, _ = small_files()
    whole = from_json(made.storage, file)
    said = []
    for wrong in WRONG:
        made.storage.put(file, to_json({**whole, name: wrong}))
        try:
            asks(made, file)()
        except (DamageError, FormatError) as error:
            said.append(str(error))
    assert all(file.rpartition("/")[0] in one for one in said)
    assert (
        len([one for one in said if name.split("_")[-1] in one or "calibration" in one or "rows" in one])
        >= len(said) - 1
    )
    allowed = {"statistics": 4, "computed": 4, "card_sha256": 2, "sql": 2, "order_by": 2, "labels": 2, "limit": 2}
    assert len(said) >= len(WRONG) - allowed.get(name, 3)


@pytest.mark.parametrize(("part", "name"), [("inputs", one) for one in ("path", "size", "sha256", "rows", "rejected")] + [("rejects", one) for one in ("file", "rows", "bytes", "sha256")])  # fmt: skip
def test_an_entry_of_the_header_of_a_wrong_type_is_named(part: str, name: str) -> None:
    made, _ = small_files()
    whole = from_json(made.storage, HEADER)
    for wrong in (None, True, 1.5, [], {}):
        value = copy.deepcopy(whole)
        entry = value[part][0] if part == "inputs" else value[part]
        entry[name] = wrong
        made.storage.put(HEADER, to_json(value))
        with pytest.raises(DamageError, match=rf"{HEADER} is damaged: {part}(\[0\])?\.{name} is "):
            store.open(made.storage)
        del entry[name]
        made.storage.put(HEADER, to_json(value))
        with pytest.raises(DamageError, match=rf"{HEADER} is damaged: {part}(\[0\])? has no {name}"):
            store.open(made.storage)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": []}, "classes is"),
        ({"classes": ["a", "a"]}, "each once"),
        ({"rows": -1}, "it has -1 rows"),
        ({"shards": 0}, "in 0 shards"),
        ({"extras": {"stars": "int65"}}, "extras.stars is 'int65', which is no type of Arrow"),
    ],
)
def test_a_header_that_no_store_can_have_is_damage(changes: dict[str, Any], problem: str) -> None:
    made, _ = small_files()
    made.storage.put(HEADER, to_json({**from_json(made.storage, HEADER), **changes}))
    with pytest.raises(DamageError, match=problem):
        store.open(made.storage)


def test_a_hundred_thousand_records_are_decoded_in_a_second() -> None:
    """Several times as long as it takes: a manifest is read whenever a store is opened."""
    sha256 = "a" * 64
    records = [
        dataclasses.asdict(
            Record(shard=shard, first_row=shard, rows=1, file=data_name(shard, sha256), bytes=9, sha256=sha256)
        )
        for shard in range(20_000)
    ]
    started = time.process_time()
    for value in records:
        decoded(Record, value)
    assert time.process_time() - started < 0.6
