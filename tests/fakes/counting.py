"""A storage that counts how often each file is read."""

from collections import Counter

import pyarrow as pa

from store.format.record import record_of
from store.storage import MemoryStorage


class CountingStorage(MemoryStorage):
    """In memory; `reads` has how often each file that is there was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def read(self, name: str) -> pa.Buffer:
        data = super().read(name)
        self.reads[name] += 1
        return data

    def records_read(self) -> Counter[str]:
        """The same, of record files alone."""
        return Counter({name: count for name, count in self.reads.items() if record_of(name.rsplit("/", 1)[-1])})
