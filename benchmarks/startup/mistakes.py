"""Mistakes that a newcomer makes: a command line for each, and a part of the message that it ends with."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import engine

ROWS = 40


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A command line that cannot work.

    Attributes:
        what: the command and what is wrong.
        arguments: of `engine`.
        says: a part of the message.
    """

    what: str
    arguments: tuple[str, ...]
    says: str


def made_files(folder: Path, model: str, texts: list[str]) -> None:
    """Files of ``texts``: one of labels that are no classes of ``model``, and a store that it has labelled."""
    pq.write_table(pa.table({"text": texts}), folder / "texts.parquet")
    labels = [str(number % 2) for number in range(len(texts))]
    pyarrow.csv.write_csv(pa.table({"text": texts, "label": labels}), folder / "gold.csv")
    odd = ["good" if number % 2 else "bad" for number in range(len(texts))]
    pyarrow.csv.write_csv(pa.table({"text": texts, "label": odd}), folder / "odd.csv")
    engine.label(
        engine.LabelConfig(
            store=str(folder / "reviews.store"), teacher=model, inputs=(str(folder / "gold.csv"),), name="labels"
        )
    )


def mistakes(folder: Path, model: str) -> list[Mistake]:
    """All of them, on the files that `made_files` makes in ``folder``."""
    store, texts, gold, odd = (str(folder / name) for name in ("reviews.store", "texts.parquet", "gold.csv", "odd.csv"))
    gone, other, out = str(folder / "gone.csv"), f"{model}s", str(folder / "out")
    new = ("--store", str(folder / "new.store"))
    label, tune = ("label", texts, *new), ("finetune", gold, "--out", out)
    train = ("train", store, "--out", out)
    compare = ("compare", "--labelled", gold, "--unlabelled", texts, "--test", gold, "--out", out)
    listed = {
        "label: no such file": (("label", gone, *new, "--teacher", model), "there is no such file"),
        "label: no such teacher": ((*label, "--teacher", other), "there is no such folder"),
        "label: no such column": ((*label, "--teacher", model, "--text", "body"), "body"),
        "label: other classes": ((*label, "--teacher", model, "--classes", "a,b"), "names of its own"),
        "label: no store, no files": (("label", *new, "--teacher", model), "is no store yet"),
        "label: --append without files": (("label", "--append", *new, "--teacher", model), "name the files"),
        "label: a new file without --append": (
            ("label", texts, "--store", store, "--name", "labels", "--teacher", model),
            "--append",
        ),
        "label --dry-run: no such teacher": ((*label, "--dry-run", "--teacher", other), "there is no such folder"),
        "finetune: no such file": (("finetune", gone, "--out", out, "--model", model), "there is no such file"),
        "finetune: no such model": ((*tune, "--model", other), "there is no such folder"),
        "finetune: no such column": ((*tune, "--model", model, "--label", "stars"), "stars"),
        "finetune: an unknown class": (
            ("finetune", odd, "--out", out, "--model", model, "--classes", "good,fair"),
            "fair",
        ),
        "finetune: a used folder": (("finetune", gold, "--out", str(folder), "--model", model), "is not empty"),
        "train: no such store": (("train", gone, "--out", out, "--student", model), "gone.csv"),
        "train: no such student": ((*train, "--student", other), "there is no such folder"),
        "train: no such label set": ((*train, "--student", model, "--labels", "other"), "other"),
        "train: no such selection": ((*train, "--student", model, "--select", "sure"), "sure"),
        "train: --temperature with mse": (
            (*train, "--student", model, "--loss", "mse", "--temperature", "2"),
            "--temperature",
        ),
        "eval: no such model": (("eval", other, gold), "there is no such folder"),
        "eval: no such file": (("eval", model, gone), "there is no such file"),
        "eval: labels of no class": (("eval", model, odd), "label"),
        "predict: no such model": (("predict", other, texts), "there is no such folder"),
        "predict: no such file": (("predict", model, gone), "there is no such file"),
        "predict: no such column": (("predict", model, texts, "--text", "body"), "body"),
        "compare: no such teacher": ((*compare, "--teacher", other, "--student", model), "there is no such folder"),
        "compare: no such file": (
            (*compare, "--extra", gone, "--teacher", model, "--student", model),
            "there is no such file",
        ),
        "sql: no such store": (("sql", gone, "SELECT 1"), "gone.csv"),
        "sql: no such column": (("sql", store, "SELECT stars FROM corpus"), "stars"),
        "audit: no such store": (("audit", gone), "gone.csv"),
        "audit: no such question": (("audit", store, "nothing"), "nothing"),
        "audit --gold: no such file": (("audit", store, "--gold", gone), "there is no such file"),
        "select: no such column": (("select", store, "sure", "--where", "stars > 1"), "stars"),
        "export: no such model": (("export", other, "--to", "onnx", "--out", out), "there is no such folder"),
        "export: no such store": (("export", gone, "--to", "parquet", "--out", out), "gone.csv"),
        "report: no such store": (("report", gone, "--out", f"{out}.html"), "gone.csv"),
        "info: no such store": (("info", gone), "gone.csv"),
        "verify: no such store": (("verify", gone), "gone.csv"),
        "label --from: no such column": (
            ("label", "--store", store, "--name", "x", "--from", gold, "--id", "key"),
            "key",
        ),
    }
    return [Mistake(what=what, arguments=arguments, says=says) for what, (arguments, says) in listed.items()]
