"""Tables that DuckDB scans, read only when a query asks for them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from store.errors import QueryError, StoreError


class Failure:
    """The error that a scan met: DuckDB passes on only its text, between lines of Python."""

    def __init__(self) -> None:
        self.error: StoreError | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep an error that is raised inside, and let it go on."""
        try:
            yield
        except StoreError as error:
            self.error = error
            raise
        except MemoryError as error:
            self.error = QueryError(f"the query needs more memory than it may have ({error}); see --memory")
            raise self.error from None


class LazyTable(pads.Dataset):  # type: ignore[misc]  # pyarrow has no types
    """A table of which DuckDB knows the columns, and that is made when a query scans it.

    DuckDB asks a data set for its ``schema`` and for a ``scanner`` of some columns and a filter, and nothing else.

    Args:
        schema: its columns.
        make: gives an object with a ``scanner``. Called once until `forget`, so that a query that scans twice sees
            the same rows.
        failure: receives the first error of a scan.
    """

    def __init__(self, schema: pa.Schema, make: Callable[[], Any], failure: Failure) -> None:
        self._schema = schema
        self._make = make
        self._made: Any = None
        self._failure = failure

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._schema

    def forget(self) -> None:
        """Make it again when it is scanned next."""
        self._made = None

    def scanner(self, **wanted: Any) -> Any:
        """An object whose ``to_reader`` gives the rows."""
        with self._failure.kept():
            self._made = self._made or self._make()
            return self._made.scanner(**wanted)


def side_by_side(sides: Mapping[str, pa.Schema]) -> list[tuple[pa.Field, str]]:
    """The columns of families that stand side by side, and whose each is: of one that several have, the first one's."""
    columns: dict[str, tuple[pa.Field, str]] = {}
    for path, schema in sides.items():
        for field in schema:
            columns.setdefault(field.name, (field, path))
    return list(columns.values())
