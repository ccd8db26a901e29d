"""Does masked language modelling on the texts that wait for labels make a classifier better?

    python -m benchmarks.yelp.mlm --data FOLDER --other FOLDER --work WORK --seeds 3 [--part 0/2]

No model that a package index ships has a head for hidden words, so that a small one is made here: BERT of 2 layers,
128 wide, with 8,000 pieces of words, and masked language modelling on the texts of another kind in ``--other``
(``unlabelled.parquet``, and some labelled rows). With each seed it is fine-tuned on labelled rows of ``--data`` as it
is, and after masked language modelling on their unlabelled texts. Both are judged on the same test rows, which are in
none of the texts. What is in ``--work`` is not done again.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, PreTrainedTokenizerFast

import engine
from benchmarks.harness.conditions import write_result
from benchmarks.yelp.compare import Parts, write_parts
from engine.comparison.statistics.crossed import difference, mean_of

LABELS = 2_000
MAX_LENGTH = 64
START = engine.MlmConfig(inputs=("",), epochs=2, batch_size=32, learning_rate=5e-4)
IN_DOMAIN = engine.MlmConfig(inputs=("",), epochs=3, batch_size=32, learning_rate=5e-4)
CLASSIFIER = engine.LoopConfig(epochs=5, batch_size=32, learning_rate=3e-4)
ARMS = ("direct", "mlm")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MAP = (("0", "negative"), ("1", "positive"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where things are.

    Attributes:
        data: of the texts to classify.
        other: of the texts of another kind.
        work: of what is made.
    """

    data: Path
    other: Path
    work: Path

    def start(self) -> Path:
        """The model that all begin with."""
        return self.work / "start" / "mlm"


def main() -> None:
    """Make what is missing, and the result of all seeds that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--other", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--part", default="0/1", help="such as 1/2: every second seed from 1, beside a run of the others"
    )
    arguments = parser.parse_args()
    place = Place(data=arguments.data, other=arguments.other, work=arguments.work)
    place.work.mkdir(parents=True, exist_ok=True)
    if not (place.work / "test.parquet").exists():
        write_parts(place.data, place.work, Parts())
    make_start(place)
    first, parts = map(int, arguments.part.split("/"))
    for seed in range(first, arguments.seeds, parts):
        for arm in ARMS:
            train(place, arm, seed)
        sys.stderr.write(f"seed {seed} is done\n")
    seeds = [seed for seed in range(arguments.seeds) if all(_judged(place, arm, seed).exists() for arm in ARMS)]
    result = figures(place, seeds)
    print(json.dumps(result, indent=1), f"written to {write_result('yelp_mlm', result)}", sep="\n")


def make_start(place: Place) -> None:
    """A tokenizer and a configuration, and the model that masked language modelling on other texts makes of them."""
    folder, texts = place.work / "shape", place.other / "unlabelled.parquet"
    if not (folder / "config.json").exists():
        tokenizer_of(pq.read_table(texts)["text"].to_pylist()).save_pretrained(folder)
        shape = BertConfig(
            vocab_size=8_000, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512
        )
        shape.save_pretrained(folder)
    gold = _gold((place.other / "labelled.parquet",), limit=64)
    loop = engine.LoopConfig(epochs=1, batch_size=16)  # of the classifier, which nobody uses
    _finetune(gold, str(folder / "config.json"), place.work / "start", loop=loop, mlm=_with(START, texts))


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of ``texts``, as BERT's."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=8_000, special_tokens=[*_SPECIAL]))
    around = [(token, made.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=512, **dict(zip(names, _SPECIAL, strict=True))
    )


def train(place: Place, arm: str, seed: int) -> None:
    """One classifier, and whether it is right about each test row."""
    if _judged(place, arm, seed).exists():
        return
    out = place.work / f"{arm}-{seed}"
    gold = _gold(tuple(place.work / f"{name}.parquet" for name in ("labelled", "extra")), limit=LABELS, seed=seed)
    loop = engine.LoopConfig(**{**vars(CLASSIFIER), "seed": seed})
    mlm = _with(IN_DOMAIN, place.work / "unlabelled.parquet") if arm == "mlm" else None
    _finetune(gold, str(place.start()), out, loop=loop, mlm=mlm)
    test = pq.read_table(place.work / "test.parquet")
    answers = engine.load(str(out)).predict(test["text"].to_pylist())
    predicted = np.asarray(answers.probabilities).argmax(axis=1)
    np.save(_judged(place, arm, seed), (predicted == test["label"].to_numpy()).astype(np.float64))


def figures(place: Place, seeds: list[int]) -> dict[str, Any]:
    """Both arms and their difference, over seeds and test rows."""
    right = {arm: np.stack([np.load(_judged(place, arm, seed)) for seed in seeds]) for arm in ARMS}
    apart = difference(right["mlm"], right["direct"])
    losses = [_loss(place.work / f"mlm-{seed}" / "mlm") for seed in seeds]
    return {
        "seeds": len(seeds),
        "test_rows": right["mlm"].shape[1],
        "labels": LABELS,
        "texts": pq.read_metadata(place.work / "unlabelled.parquet").num_rows,
        "other_texts": pq.read_metadata(place.other / "unlabelled.parquet").num_rows,
        "epochs": {"start": START.epochs, "mlm": IN_DOMAIN.epochs, "classifier": CLASSIFIER.epochs},
        "max_length": MAX_LENGTH,
        "accuracy": {arm: round(mean_of(right[arm]).mean, 5) for arm in ARMS},
        "points": {end: round(100 * getattr(apart, end), 3) for end in ("mean", "low", "high")},
        "p_value": float(f"{apart.p_value:.3g}"),
        "loss": {"start": round(_loss(place.start()), 4), "mlm": round(float(np.mean(losses)), 4)},
    }


def _loss(folder: Path) -> float:
    """Of a hidden token in the last epoch."""
    return float(json.loads((folder / "training.json").read_text())["epochs"][-1]["loss"])


def _judged(place: Place, arm: str, seed: int) -> Path:
    return place.work / f"{arm}-{seed}.npy"


def _with(config: engine.MlmConfig, texts: Path) -> engine.MlmConfig:
    return engine.MlmConfig(**{**vars(config), "inputs": (str(texts),)})


def _gold(files: tuple[Path, ...], **more: Any) -> engine.GoldConfig:
    options = engine.ReadOptions(label_map=_MAP)
    return engine.GoldConfig(files=tuple(map(str, files)), options=options, **more)


def _finetune(
    gold: engine.GoldConfig, model: str, out: Path, *, loop: engine.LoopConfig, mlm: engine.MlmConfig | None
) -> None:
    engine.finetune(
        engine.FinetuneConfig(gold=gold, model=model, out=str(out), max_length=MAX_LENGTH, loop=loop, mlm=mlm)
    )


if __name__ == "__main__":
    main()
