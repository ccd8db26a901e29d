"""How much faster is masked language modelling than by transformers.Trainer? Both train in one process, in turn.

    python -m benchmarks.training.mlm_throughput --shape MODEL --input unlabelled.parquet --steps 6 --rounds 5

Both train a model of the shape of ``--shape``, with its tokenizer and random weights, since those of an encoder without
the head of its pretraining say nothing here: on texts of one file, tokenised before, with as many texts a step and as
many steps, in fp32, with dropout. ``engine`` is the loop of `engine finetune --mlm`; Trainer has its own collator for
hidden tokens, and takes its first steps of an epoch over the whole file, grouped by length. Ratios are taken round by
round.

Trainer needs the extra ``peers``.
"""

import argparse
import dataclasses
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from transformers import AutoConfig, AutoTokenizer, DataCollatorForLanguageModeling

from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import compare, lines, run_rounds
from benchmarks.training.table import OURS
from benchmarks.training.throughput import ALONE, spread
from benchmarks.training.trainer_peer import train_with_trainer
from engine.compute.masked_forward import masked_forward
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.models.classifier import Classifier
from engine.models.files import quiet_transformers
from engine.models.initialize import load_start
from engine.progress import silent
from engine.tokens.masking import SHARE
from engine.training.loop import Objective, fit
from engine.training.loss import masked_cross_entropy
from engine.training.mlm.model import load_masked, masking_of
from engine.training.mlm.steps import MaskedSteps
from engine.training.tasks.config import LoopConfig
from store import Store
from store.storage import open_storage

_CLASSES = ("negative", "positive")
_PEERS = {"Trainer, grouped by length": "group_by_length", "Trainer": "random"}


def main() -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", required=True, help="folder of a model, for its configuration and its tokenizer")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    print("\n".join(lines(result["figures"], ours=OURS)))
    print(f"written to {write_result('mlm_throughput', result)}")


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Everybody's seconds for the same number of texts."""
    AutoConfig.from_pretrained(arguments.shape).save_pretrained(work)
    AutoTokenizer.from_pretrained(arguments.shape).save_pretrained(work)
    whole = pq.read_table(arguments.input, columns=["id", "text"])
    rows = arguments.steps * arguments.batch_size
    pq.write_table(spread(whole, rows), work / "texts.parquet")
    columns = ColumnNames(text="text", id="id", label=NO_COLUMN)
    reading = IngestConfig(files=(str(work / "texts.parquet"),), columns=columns, classes=_CLASSES)
    store = ingest(open_storage(str(work / "texts.store")), reading, known=_CLASSES)
    loop = LoopConfig(epochs=1, batch_size=arguments.batch_size, learning_rate=1e-4, dtype="fp32")
    start = load_start(str(work / "config.json"), classes=_CLASSES)
    encoding = start.encoding(arguments.max_length)
    tokens = encoding.encode(whole["text"].to_pylist())
    ids = [{"input_ids": tokens.row(row).astype(int).tolist()} for row in range(whole.num_rows)]
    contestants = {OURS: partial(ours, start, store, loop, arguments.max_length)}
    for name, sampling in _PEERS.items():
        contestants[name] = partial(theirs, start, ids, work / "trainer", loop, sampling, arguments)
    seconds = run_rounds(contestants, arguments.rounds)
    lengths = encoding.encode(spread(whole, rows)["text"].to_pylist()).lengths
    return {
        "texts": rows,
        "texts_to_choose_from": whole.num_rows,
        "batch_size": arguments.batch_size,
        "tokens": {"mean": round(float(lengths.mean()), 1), "max": int(lengths.max())},
        "layers": int(start.module.config.num_hidden_layers),
        "hidden": int(start.module.config.hidden_size),
        "vocabulary": int(start.module.config.vocab_size),
        "seconds": seconds,
        "figures": compare(seconds, rows=rows, ours=OURS),
    }


def ours(start: Classifier, store: Store, loop: LoopConfig, max_length: int) -> float:
    """Seconds of the steps of one epoch, as `engine.training.mlm.pretrain` takes them."""
    encoding, masking = start.encoding(max_length), masking_of(start, seed=0)
    steps = MaskedSteps(store, encoding, masking, batch_size=loop.batch_size, ranks=ALONE, tick=silent)
    objective = Objective(
        model=_with_head(start, max_length),
        steps=steps,
        loss=masked_cross_entropy,
        config=loop,
        make=masked_forward,
    )
    (report,) = fit(objective, ranks=ALONE).reports
    return report.seconds


def theirs(
    start: Classifier,
    rows: list[dict[str, Any]],
    out: Path,
    loop: LoopConfig,
    sampling: str,
    arguments: argparse.Namespace,
) -> float:
    """Seconds of as many steps by Trainer."""
    collator = DataCollatorForLanguageModeling(start.tokenizer, mlm_probability=SHARE)
    model = _with_head(start, arguments.max_length)
    return train_with_trainer(model, rows, out, loop, sampling=sampling, steps=arguments.steps, collator=collator)


def _with_head(start: Classifier, max_length: int) -> Classifier:
    """The masked language model, as it is before training."""
    return dataclasses.replace(start, module=load_masked(start, longest=max_length, seed=0))


if __name__ == "__main__":
    main()
