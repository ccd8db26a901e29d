"""The card of a Hugging Face data set, ``README.md``: features, splits and sizes for programs, the rest for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.export.card import card_of_label_set
from engine.export.features import ClassLabels
from engine.export.files import Written
from engine.export.rows import FAILURE, LOGITS, PREDICTION, ExportedRows
from store import Store
from store.families.label_card import LabelCard
from store.selections.selection import read_selection

README = "README.md"
_SIZES = {
    1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M", 1_000_000_000: "100M<n<1B",
}  # fmt: skip
_MORE = "n>1B"
_SHOWN = 16  # characters of a hash


def readme(
    store: Store,
    labels: Sequence[str],
    select: str | None,
    rows: ExportedRows,
    files: Mapping[str, Sequence[Written]],
) -> str:
    """The card of a data set.

    Args:
        store: the store.
        labels: names of the label sets.
        select: the selection whose rows it has; all rows if None.
        rows: that are exported.
        files: of each split, all of them written.
    """
    import yaml  # huggingface_hub needs it

    head = yaml.safe_dump(_head(store, rows, files), sort_keys=False, allow_unicode=True)
    counts = {split: sum(file.count for file, _ in some) for split, some in files.items()}
    lines = [
        "# Texts with soft labels",
        "",
        _first_words(sum(counts.values()), store.header.classes),
        "",
        "```python",
        "from datasets import load_dataset",
        'rows = load_dataset("PATH")',
        "```",
        "",
        "| split | rows |",
        "|---|---:|",
        *(f"| {split} | {count:,} |" for split, count in counts.items()),
        "",
        "## Where the labels are from",
        "",
        *(line for name in labels for line in _of_label_set(name, card_of_label_set(store, name))),
        *_of_selection(store, select),
        "## Columns",
        "",
        "| column | what it is |",
        "|---|---|",
        *(f"| {_code(name)} | {words} |" for name, words in _columns(rows).items()),
    ]
    return f"---\n{head}---\n\n" + "\n".join(lines) + "\n"


def _first_words(rows: int, classes: Sequence[str]) -> str:
    named = ", ".join(map(_code, classes))
    return f"{rows:,} texts with the logits that a teacher gave them for the classes {named}, in this order."


def _head(store: Store, rows: ExportedRows, files: Mapping[str, Sequence[Written]]) -> dict[str, Any]:
    splits: list[dict[str, Any]] = [
        {
            "name": split,
            "num_bytes": sum(facts.unpacked for _, facts in some),
            "num_examples": sum(file.count for file, _ in some),
        }
        for split, some in files.items()
    ]
    count = sum(split["num_examples"] for split in splits)
    return {
        "task_categories": ["text-classification"],
        "size_categories": [next((name for most, name in _SIZES.items() if count < most), _MORE)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in files],
            }
        ],
        "dataset_info": {
            "features": ClassLabels(rows, store.header.classes).in_yaml(),
            "splits": splits,
            "download_size": sum(facts.bytes for some in files.values() for _, facts in some),
            "dataset_size": sum(split["num_bytes"] for split in splits),
        },
    }


def _of_label_set(name: str, card: LabelCard) -> list[str]:
    """What a label set was made with."""
    facts = {
        "model": card.model,
        "revision": card.revision,
        "weights (SHA-256)": card.weights_sha256 and card.weights_sha256[:_SHOWN],
        "tokens a text, at most": card.max_length,
        "arithmetic": card.dtype,
    }
    if card.answers is not None:
        facts = {
            "answers": ", ".join(f"{Path(file['path']).name} ({file['rows']:,} rows)" for file in card.answers.files)
        }
    said = [f"- {what}: {_code(str(value))}" for what, value in facts.items() if value is not None]
    return [f"The label set {_code(name)}:", "", *said, *([""] if said else [])]


def _of_selection(store: Store, select: str | None) -> list[str]:
    if select is None:
        return []
    card = read_selection(store, select).card
    where = f", of which {_code(card.sql)} holds" if card.sql else ""
    return [f"Not all rows of the store are here, but those of its selection {_code(select)}{where}.", ""]


def _columns(rows: ExportedRows) -> dict[str, str]:
    """What each column is, in words."""
    words = {
        "row": "number of the row in the store",
        "id": "of the text",
        "text": "the text",
        "label": "the human label; null if there is none",
        **{shown: f"the column `{name}` of the input" for name, shown in rows.columns.kept.items()},
    }
    for name, columns in rows.columns.label_sets.items():
        of = f" of {_code(name)}" if len(rows.columns.label_sets) > 1 else ""
        words |= {
            columns[LOGITS]: f"one for each class{of}; null if labelling failed",
            columns[PREDICTION]: f"class of the largest logit{of}",
            columns["confidence"]: f"largest softmax probability{of}",
            columns["margin"]: f"that less the second{of}",
            columns["entropy"]: f"of the softmax{of}, in nats",
            columns["n_tokens"]: f"tokens that the model saw{of}",
            columns["truncated"]: f"whether the text had more{of}",
            columns[FAILURE]: f"why there are no logits{of}",
        }
    return words


def _code(text: str) -> str:
    """``text`` as Markdown shows it unchanged."""
    plain = " ".join(text.split()).replace("|", "\\|")
    marks = "``" if "`" in plain else "`"
    return f"{marks} {plain} {marks}" if "`" in plain else f"{marks}{plain}{marks}"
