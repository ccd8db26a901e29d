"""Members of a tar → samples, as WebDataset has them: members side by side that differ in their endings alone.

The grouping is webdataset's own. Its decoding is not used: that would unpickle members and so run what they say.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from engine.errors import InputError
from engine.inputs.tar_files.members import members_of, way_to_unpack

TEXTS, JSON, LABEL = ("txt", "text"), "json", "cls"
READ = (*TEXTS, JSON, LABEL)
_KEY, _URL = "__key__", "__url__"


class Sample(NamedTuple):
    """A row of a WebDataset.

    Attributes:
        key: what its members are called before their endings.
        members: their endings, without the first dot and in lower case, and the bytes of those that are read. None
            stands for those of others, and for those that are too long.
    """

    key: str
    members: dict[str, bytes | None]


def samples_of(file: str, *, read: Collection[str] = READ) -> Iterator[Sample]:
    """The samples of the tar ``file``, in its order.

    Args:
        file: its path.
        read: endings of the members whose bytes are read.

    Raises:
        InputError: as `members_of`, or a sample has two members of one name.
    """
    from webdataset.tariterators import base_plus_ext, group_by_keys

    def named() -> Iterator[dict[str, Any]]:
        for name, _, data in members_of(file, lambda name: _ending(base_plus_ext(name)) in read):
            if not name.startswith("__"):  # what webdataset writes of the whole
                yield {"fname": name, "data": data, _URL: file}

    try:
        for found in group_by_keys(named()):
            yield Sample(found.pop(_KEY), {name: data for name, data in found.items() if name != _URL})
    except ValueError as error:
        name = str(error.args[0]).partition(": ")[0]
        raise InputError(f"{file} has the member {name} twice; {way_to_unpack(file)}, and pack it anew") from error


def _ending(parts: tuple[str | None, str | None]) -> str:
    return (parts[1] or "").lower()
