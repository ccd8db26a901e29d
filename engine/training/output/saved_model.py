"""A trained model on disk: weights, tokenizer, a model card for people, ``training.json`` for programs."""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.models.classifier import Classifier, save_classifier
from engine.models.notes.card_head import CARD
from engine.training.output.model_card import model_card
from engine.training.output.run_folder import DONE, MODEL_BEFORE, RunFolder
from engine.training.output.trained import Trained
from store.storage.atomic_file import sync, write_file


def save_trained(model: Classifier, trained: Trained, *, sources: list[str]) -> None:
    """Write the model into ``trained.out``, file by file; ``training.json`` comes last and marks the model complete."""

    def write(made: Path) -> None:
        save_classifier(model, made, max_length=trained.max_length)
        card = model_card(model, trained, sources=sources, settings=RunFolder(trained.out).settings)
        (made / CARD).write_text(card, encoding="utf-8")
        report = {**dataclasses.asdict(trained), "sources": sources, "seconds": round(trained.seconds, 3)}
        (made / DONE).write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    put_in_place(Path(trained.out), write)


def put_in_place(folder: Path, write: Callable[[Path], None]) -> None:
    """Put the files that ``write`` makes in the folder that it is given into ``folder``, `DONE` last."""
    with tempfile.TemporaryDirectory(prefix=MODEL_BEFORE, dir=folder) as temporary:
        made = Path(temporary)
        write(made)
        for path in made.iterdir():
            sync(path)
        for path in sorted(made.iterdir(), key=lambda path: path.name == DONE):
            if path.name == DONE:
                sync(folder)
            path.replace(folder / path.name)
    sync(folder)


def save_evaluation(trained: Trained) -> None:
    """Write a later evaluation of a complete model."""
    file = Path(trained.out) / DONE
    report = {**json.loads(file.read_text("utf-8")), **dataclasses.asdict(trained)}
    write_file(file, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
