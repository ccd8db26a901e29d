"""Mistakes that a newcomer makes: a command line for each, and a part of the message that it ends with."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.startup.made_files import (
    BEGUN,
    EMPTY,
    GOLD,
    HEADLESS,
    LABELS,
    LOCKED,
    ODD,
    OTHER,
    REVIEWS,
    TEXTS,
)


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


def mistakes(folder: Path, model: str) -> list[Mistake]:
    """All of them, on the files that `benchmarks.startup.made_files.made_files` makes in ``folder``."""
    store, texts, gold, odd = (str(folder / name) for name in (REVIEWS, TEXTS, GOLD, ODD))
    gone, other, out = str(folder / "gone.csv"), f"{model}s", str(folder / "out")
    new = ("--store", str(folder / "new.store"))
    label, tune = ("label", texts, *new), ("finetune", gold, "--out", out)
    train = ("train", store, "--out", out)
    compare = ("compare", "--labelled", gold, "--unlabelled", texts, "--test", gold, "--out", out)
    listed: _Listed = {
        "label: no such file": (("label", gone, *new, "--teacher", model), "there is no such file"),
        "label: no such teacher": ((*label, "--teacher", other), "there is no such folder"),
        "label: no such column": ((*label, "--teacher", model, "--text", "body"), "body"),
        "label: other classes": ((*label, "--teacher", model, "--classes", "a,b"), "names of its own"),
        "label: no store, no files": (("label", *new, "--teacher", model), "is no store yet"),
        "label: --append without files": (("label", "--append", *new, "--teacher", model), "name the files"),
        "label: a new file without --append": (
            ("label", texts, "--store", store, "--name", LABELS, "--teacher", model),
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
    listed |= _of_models(folder, model) | _of_folders(folder, model)
    return [Mistake(what=what, arguments=arguments, says=says) for what, (arguments, says) in listed.items()]


_Listed = dict[str, tuple[tuple[str, ...], str]]


def _of_models(folder: Path, model: str) -> _Listed:
    """Models that are there, and are not what a command needs."""
    store, texts, gold, out = (str(folder / name) for name in (REVIEWS, TEXTS, GOLD, "out"))
    headless, other, new = str(folder / HEADLESS), str(folder / OTHER), str(folder / "new.store")
    no_head, layers = "no trained classification head", f"{model}#layers=0,99"
    return {
        "label: a teacher without a head": (("label", texts, "--store", new, "--teacher", headless), no_head),
        "eval: a model without a head": (("eval", headless, gold), no_head),
        "predict: a model without a head": (("predict", headless, texts), no_head),
        "label: a label set of another teacher": (
            ("label", "--store", store, "--name", LABELS, "--teacher", other),
            "was begun with weights_sha256",
        ),
        "train: layers that there are not": (("train", store, "--out", out, "--student", layers), "asks for others"),
        "finetune: layers that there are not": (("finetune", gold, "--out", out, "--model", layers), "asks for others"),
        "finetune: layers that are no numbers": (
            ("finetune", gold, "--out", out, "--model", f"{model}#layers=last"),
            "numbers of layers",
        ),
    }


def _of_folders(folder: Path, model: str) -> _Listed:
    """Folders and files that are there, and lack what a command needs, or have what it must not touch."""
    store, texts, gold, out = (str(folder / name) for name in (REVIEWS, TEXTS, GOLD, "out"))
    begun, other_settings = str(folder / BEGUN), "begun with other settings"
    eval_, predict = ("eval", model, gold), ("predict", model, texts)
    train = ("train", store, "--student", model, "--out")
    return {
        "predict: a header and no rows": (("predict", model, str(folder / EMPTY)), "there is no row in it"),
        "label: a header and no rows": (
            ("label", str(folder / EMPTY), "--store", str(folder / "new.store"), "--teacher", model),
            "there is no row in it",
        ),
        "predict --calibrated: no temperature": ((*predict, "--calibrated"), "has no temperature"),
        "predict --defer-to: no threshold": ((*predict, "--defer-to", model), "has no threshold of its own"),
        "eval --calibrate: too few rows": ((*eval_, "--calibrate"), "a temperature needs 50"),
        "eval --calibrate: a folder that cannot be written": (
            ("eval", str(folder / LOCKED), gold, "--calibrate"),
            "cannot be written",
        ),
        "eval --target: too few rows": ((*eval_, "--defer-to", model, "--target", "0.9"), "a threshold needs 50"),
        "train --calibrated: no calibration": ((*train, out, "--calibrated"), "has no calibration"),
        "train --weight: no such column": ((*train, out, "--weight", "stars"), "stars"),
        "train --gold-weight: no such round": ((*train, out, "--gold-weight", "0.5", "--round", "9"), "9"),
        "train: a folder of another run": ((*train, begun), other_settings),
        "finetune: a folder of another run": (("finetune", gold, "--out", begun, "--model", model), other_settings),
    }
