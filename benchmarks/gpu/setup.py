"""What is measured on a GPU: the teacher, the texts and the device, and labelling them."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.made_models import SHAPES, Shape, make_teacher, make_tokenizer
from benchmarks.harness.made_texts import made_words, write_made_texts
from benchmarks.labelling.relabelling import label_again
from engine.labelling.summary import LabelSummary

_WORDS = 30_000


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The setup of a measurement.

    Attributes:
        work: a folder; what is there already is used again.
        shape: of the teacher, a name in `benchmarks.harness.made_models.SHAPES`.
        device: ``cuda:0`` or ``cpu``.
        rows: to label.
        sample: rows that the peers label.
        exact: rows that are compared one at a time.
        rounds: of the peers.
    """

    work: Path
    shape: str
    device: str
    rows: int
    sample: int
    exact: int
    rounds: int

    @property
    def sizes(self) -> Shape:
        """Of the teacher."""
        return SHAPES[self.shape]

    @property
    def on_gpu(self) -> bool:
        """Whether the device is one."""
        return self.device != "cpu"

    @property
    def dtype(self) -> str:
        """In which the device labels."""
        return "fp16" if self.on_gpu else "fp32"

    @property
    def teacher(self) -> Path:
        """The made classifier; made where it is not there."""
        folder = self.work / self.shape
        if not (folder / "tokenizer.json").exists():
            make_teacher(folder, self.sizes, make_tokenizer(made_words(_WORDS)))
        return folder

    def texts(self, rows: int) -> Path:
        """A file of as many texts; made where it is not there."""
        file = self.work / f"texts-{rows}.parquet"
        if not file.exists():
            self.work.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".part")
            write_made_texts(unfinished, rows=rows, words=made_words(_WORDS))
            unfinished.rename(file)
        return file

    def label(self, rows: int, *, workers: int = 1, dtype: str | None = None) -> tuple[LabelSummary, Path]:
        """Label as many texts; the summary, and where the store is."""
        dtype = dtype or self.dtype
        place = self.work / f"{self.shape}-{rows}{'-fp8' if dtype == 'fp8' else ''}.store"
        devices, shards = (self.device,) * workers, None if rows > 10_000 else 4
        summary = label_again(place, self.teacher, inputs=self.texts(rows), devices=devices, shards=shards, dtype=dtype)
        return summary, place
