"""webdataset: rows → tar files → shuffled shards, a buffer of rows, batches."""

import io
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader.contenders import BUFFER_ROWS, SHARDS
from benchmarks.loader.data import BATCH_ROWS, CLASSES, Batch, Data, collating

_Members = dict[str, Any]


def write(data: Data, place: Path) -> None:
    """The same rows in each form, in folders of their own."""
    wds: Any = import_module("webdataset")
    per_shard = -(-len(data.lengths) // SHARDS)
    for form, (to_members, _) in _FORMS.items():
        folder = place / form
        folder.mkdir(parents=True)
        with wds.ShardWriter(str(folder / "%05d.tar"), maxcount=per_shard, encoder=False, verbose=0) as writer:
            for row, ids, logits in data.each():
                writer.write({"__key__": f"{row:09d}", **to_members(ids, logits)})


def epochs(place: Path, form: str, workers: int) -> Callable[[int], Iterator[Batch]]:
    """Epoch → its batches. The pipeline counts the epochs itself."""
    wds: Any = import_module("webdataset")
    shards = sorted(str(path) for path in (place / form).iterdir())
    rows = (
        wds.WebDataset(shards, shardshuffle=len(shards), detshuffle=True, seed=0, empty_check=False)
        .compose(wds.detshuffle(BUFFER_ROWS, initial=BUFFER_ROWS))
        .batched(BATCH_ROWS, collation_fn=collating(_FORMS[form][1], workers))
    )
    loader = (
        wds.WebLoader(rows, batch_size=None, num_workers=workers, persistent_workers=True, collate_fn=_as_is)
        if workers
        else rows
    )
    return lambda _: iter(loader)


def _to_npy(ids: Any, logits: Any) -> _Members:
    return {"ids.npy": _npy(ids), "logits.npy": _npy(logits)}


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _of_npy(rows: list[_Members]) -> Batch:
    return Batch(
        [int(row["__key__"]) for row in rows],
        [np.load(io.BytesIO(row["ids.npy"])) for row in rows],
        None,
        [np.load(io.BytesIO(row["logits.npy"])) for row in rows],
    )


def _to_raw(ids: Any, logits: Any) -> _Members:
    return {"ids": ids.tobytes(), "logits": logits.tobytes()}


def _of_raw(rows: list[_Members]) -> Batch:
    return Batch(
        [int(row["__key__"]) for row in rows],
        [np.frombuffer(row["ids"], np.uint16) for row in rows],
        None,
        np.frombuffer(b"".join([row["logits"] for row in rows]), np.float16).reshape(len(rows), CLASSES),
    )


def _to_one(ids: Any, logits: Any) -> _Members:
    return {"raw": logits.tobytes() + ids.tobytes()}


def _of_one(rows: list[_Members]) -> Batch:
    return Batch(
        [int(row["__key__"]) for row in rows],
        [np.frombuffer(row["raw"], np.uint16, offset=2 * CLASSES) for row in rows],
        None,
        [np.frombuffer(row["raw"], np.float16, CLASSES) for row in rows],
    )


_FORMS: dict[str, tuple[Callable[[Any, Any], _Members], Callable[[list[_Members]], Batch]]] = {
    "npy members": (_to_npy, _of_npy),
    "raw members": (_to_raw, _of_raw),
    "one raw member": (_to_one, _of_one),
}


def _as_is(batch: Batch) -> Batch:
    """Keep the loader from making tensors, which are slow to pass on one by one."""
    return batch
