"""Who runs in `benchmarks.loader.run`: by the name that the result gives it, where it is written and in which forms."""

from dataclasses import dataclass

OURS = "store"
BUFFER_ROWS = 10_000
SHARDS = 16
"""Of the formats that are shuffled by whole shards first."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to store rows and to read them shuffled.

    Attributes:
        module: has ``write(data, place)`` and ``epochs(place, form, workers)``, which gives epoch → batches.
        packages: that it needs, the one in question first.
        forms: the ways to read that are tried, each with the numbers of workers (processes; ours: threads). 0 is
            none: all is done where the batch is used.
        shuffle: how far a row moves.
    """

    module: str
    packages: tuple[str, ...]
    forms: dict[str, tuple[int, ...]]
    shuffle: str


CONTENDERS = {
    OURS: Contender(
        module="benchmarks.loader.store",
        packages=(),
        forms={"stream": (0, 1, 2)},
        shuffle="blocks of 64 rows, then rows in windows of 65,536",
    ),
    "datasets, map-style": Contender(
        module="benchmarks.loader.datasets",
        packages=("datasets", "torch"),
        forms={
            "shuffle, numpy, iter": (0,),
            "shuffle, arrow, iter": (0,),
            "shuffle, flatten_indices, arrow, iter": (0,),
            "torch, DataLoader": (0, 2),
            "numpy, DataLoader": (0, 2),
            "arrow, DataLoader of lists of rows": (0, 2),
        },
        shuffle="all rows",
    ),
    "datasets, streaming": Contender(
        module="benchmarks.loader.datasets_streaming",
        packages=("datasets", "torch"),
        forms={
            "numpy, iter": (0,),
            "arrow, iter": (0,),
            "numpy, DataLoader": (0, 2),
            "arrow, batch, DataLoader": (0, 2),
        },
        shuffle=f"shards, then a buffer of {BUFFER_ROWS:,} rows",
    ),
    "webdataset": Contender(
        module="benchmarks.loader.webdataset",
        packages=("webdataset", "torch"),
        forms={"npy members": (0, 2), "raw members": (0, 2), "one raw member": (0, 2)},
        shuffle=f"shards, then a buffer of {BUFFER_ROWS:,} rows",
    ),
    "MosaicML Streaming": Contender(
        module="benchmarks.loader.mosaic",
        packages=("mosaicml-streaming", "torch"),
        forms={"ndarray, DataLoader": (0, 2), "bytes, DataLoader": (0, 2), "bytes, iter": (0,)},
        shuffle="py1e: chunks, then rows in blocks",
    ),
    "litdata": Contender(
        module="benchmarks.loader.litdata",
        packages=("litdata", "torch"),
        forms={"numpy, DataLoader": (0, 2), "bytes, DataLoader": (0, 2), "bytes, iter": (0,)},
        shuffle="chunks, then blocks of 256 rows, then rows in each",
    ),
}
