"""Architectures → the table of MODELS.md: how each is computed. ``python -m engine.testing.models_table`` writes it.

A test tries every architecture and compares its logits with those of transformers, and fails when the table drifts.
"""

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.models.batching import batching_of
from engine.models.classifier import load_classifier
from engine.testing.architecture_list import DECODERS, ENCODERS, WITH_DECODERS
from engine.testing.architectures import Architecture, texts

PAGE = Path(__file__).parent.parent / "MODELS.md"
MAX_LENGTH = 48
_APART = {
    "nothing": "",
    "ends": ", rows with as many end tokens together",
    "lengths": ", rows of equal length together: slower",
    "rows": ", each row alone: much slower",
}
_HEAD = """# Models that can be used

How `engine label`, `engine eval` and training compute the classifiers of transformers. Each was made small and at
random, and its logits were compared with those of transformers, one row at a time: they differ by at most
1e-4 + 5e-4·|x|. What is not in the table is tried in the same way when it is loaded: a model whose logits the engine
cannot compute is refused.

- *packed*: rows lie one after the other without padding; *fused* is the same through layers of our own, the fastest.
- *padded*: rows are filled up to the longest one of a batch.
- *refused*: the message says why.

`python -m engine.testing.models_table` writes this page.
"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of an architecture.

    Attributes:
        way: how the engine computes it, or that it is refused.
        ours: (rows, classes) logits; None if it is refused.
        theirs: the same by transformers, one row at a time.
    """

    way: str
    ours: npt.NDArray[np.float32] | None = None
    theirs: npt.NDArray[np.float32] | None = None


def try_out(architecture: Architecture, folder: Path) -> Trial:
    """Make an architecture in ``folder``, and compute texts with it both ways."""
    architecture.save(folder)
    try:
        model = load_classifier(str(folder))
    except ModelError as error:
        return Trial(way=f"refused: {str(error).removeprefix(f'{folder}: ').replace(str(folder), 'the model')}")
    encoding = model.encoding(MAX_LENGTH)
    encoder = Encoder(model, device=torch.device("cpu"), budget=512, longest=MAX_LENGTH)
    tokens = encoding.encode(texts())
    ours = encoder.logits(tokens, encoder.plan(tokens))
    encoder.flops(tokens)
    apart = batching_of(model.module).apart
    way = encoder.path + (_APART[apart] if encoder.path == "padded" else "")
    return Trial(way=way, ours=ours, theirs=one_by_one(folder))


def one_by_one(folder: Path) -> npt.NDArray[np.float32]:
    """(rows, classes) logits of the texts by transformers, each by a model that has computed nothing else."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for text in texts():
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_LENGTH)
        with torch.inference_mode():
            rows.append(copy.deepcopy(model)(**inputs).logits.numpy())  # a model may change itself
    return np.concatenate(rows)


def table(architectures: tuple[Architecture, ...], ways: dict[str, str]) -> list[str]:
    """Lines of a table."""
    lines = ["| architecture | how it is computed |", "|---|---|"]
    return [*lines, *(f"| {each.title} | {ways[each.title]} |" for each in architectures)]


def page(ways: dict[str, str]) -> str:
    """MODELS.md, from the way of each architecture by its title."""
    parts = {"Encoders": ENCODERS, "Encoders with a decoder": WITH_DECODERS, "Decoders": DECODERS}
    sections = ["\n".join(["", f"## {title}", "", *table(part, ways)]) for title, part in parts.items()]
    return _HEAD + "\n".join(sections) + "\n"


def written_ways() -> dict[str, str]:
    """The ways that the page has, by title."""
    cells = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    return {cell[0]: cell[1] for cell in cells if len(cell) == 2}


def main() -> None:
    """Try all architectures, and write the page."""
    ways = {}
    for each in (*ENCODERS, *WITH_DECODERS, *DECODERS):
        with tempfile.TemporaryDirectory() as folder:
            ways[each.title] = try_out(each, Path(folder)).way
    PAGE.write_text(page(ways), encoding="utf-8")


if __name__ == "__main__":
    main()
