"""A small file that is kept twice → the findings about the file and its copy."""

from collections.abc import Callable, Iterator

from store.format.findings import Finding, Kind
from store.format.json_file import Value, copy_name, read_small
from store.storage import Storage


def check_twice(storage: Storage, name: str, family: str, is_right: Callable[[Value], bool]) -> Iterator[Finding]:
    """Check a file that is kept twice, and its copy.

    Args:
        storage: of the store.
        name: of the file, in the folder of its family.
        family: path of the family; empty for the root.
        is_right: whether a value is the one that was written, and not another file's.
    """
    there = {name, copy_name(name)} & set(storage.list(family))
    values = []
    for one in (name, copy_name(name)) if there else ():
        file = f"{family}/{one}".lstrip("/")
        value, problem = read_small(storage, file)
        if value is not None and not is_right(value):
            value, problem = None, "is whole, and is not what was written there"
        values.append(value)
        if value is None:
            # The copy comes second: a writer may have been killed between the two.
            gone = Kind.MISSING if one == name else Kind.UNFINISHED
            kind = Kind.DAMAGED if one in there else gone
            yield Finding(kind=kind, family=family, shard=None, file=file, problem=problem)
    if values and None not in values and values[0] != values[1]:
        file = f"{family}/{copy_name(name)}".lstrip("/")
        yield Finding(kind=Kind.MISMATCH, family=family, shard=None, file=file, problem=f"differs from {name}")
