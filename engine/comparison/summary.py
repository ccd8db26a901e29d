"""The results of an experiment → everything that may be said of them: rows, contrasts, worth of a label, and words."""

import dataclasses
from dataclasses import dataclass
from html import escape
from typing import Any

from engine.comparison.prices import UNKNOWN, Prices
from engine.comparison.results import DIRECT, DISTILLED, SELF_DISTILLED, Results
from engine.comparison.sentences import (
    caption_of,
    contrast_sentence,
    exploratory_sentence,
    visible_sentence,
    worth_sentences,
)
from engine.comparison.statistics.arms import ArmSummary, summarise_arm
from engine.comparison.statistics.contrasts import Contrast, contrast, planned_contrasts
from engine.comparison.statistics.error_curve import fit_errors
from engine.comparison.statistics.worth import Worth, label_worth
from engine.comparison.table import as_html, as_latex, as_markdown, as_text, latex, make_tables


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What an experiment says. As `str` it is a table with sentences; notebooks show it as HTML.

    Attributes:
        caption: what the figures are.
        rows: one for each recipe, in the order of the table.
        contrasts: the planned ones, corrected by Holm.
        exploratory: others, of which nothing follows.
        worth: what distilling is worth in labels; None if it cannot be computed.
        worth_lacking: why it cannot; None if it can.
        prices: that costs are computed with.
        sentences: all that is said below the table; the first is the smallest difference that could have been seen.
    """

    caption: str
    rows: tuple[ArmSummary, ...]
    contrasts: tuple[Contrast, ...]
    exploratory: tuple[Contrast, ...]
    worth: Worth | None
    worth_lacking: str | None
    prices: Prices
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        smallest, *others = self.sentences
        parts = [smallest, *map(as_text, make_tables(self.rows)), self.caption, "\n".join(others)]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_html(self) -> str:
        """Tables and sentences."""
        smallest, *others = (f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        tables = "".join(f'<div class="scroll">{as_html(table)}</div>' for table in make_tables(self.rows))
        return f'{smallest}{tables}<p class="how">{escape(self.caption)}</p>{"".join(others)}'

    def as_markdown(self) -> str:
        """The same for a README or an issue."""
        smallest, *others = self.sentences
        sentences = "\n".join(f"- {sentence}" for sentence in others)
        return (
            "\n\n".join([smallest, *map(as_markdown, make_tables(self.rows)), self.caption, sentences]).rstrip() + "\n"
        )

    def as_latex(self) -> str:
        """The same for a paper; it needs the package booktabs."""
        tables = [as_latex(table, caption=self.caption) for table in make_tables(self.rows)]
        return "\n\n".join([*tables, "\n".join(map(latex, self.sentences))]) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """Everything, all digits of it, as JSON can say it."""
        plain = dataclasses.asdict(self)
        for contrast_, written in zip(self.contrasts, plain["contrasts"], strict=True):
            written |= {"verdict": contrast_.verdict, "inferiority": contrast_.inferiority}
        for written in plain["exploratory"]:
            del written["holm_p"]
        return plain

    def records(self) -> list[dict[str, Any]]:
        """The rows of the table, one flat record each."""
        return [dataclasses.asdict(row) for row in self.rows]


def summarise(results: Results, prices: Prices = UNKNOWN) -> Comparison:
    """Everything that ``results`` say; seeds and arms that are missing yet make it say less."""
    planned = planned_contrasts(results)
    others = _exploratory(results)
    curve = fit_errors(results)
    worth = None if isinstance(curve, str) else label_worth(results, curve, prices)
    sentences = [visible_sentence(planned), *map(contrast_sentence, planned)]
    sentences += worth_sentences(worth, prices) if worth is not None else [f"What a label is worth: {curve}."]
    sentences += map(exploratory_sentence, others)
    return Comparison(
        caption=caption_of(results, prices),
        rows=tuple(summarise_arm(results, recipe, prices) for recipe in results.recipes()),
        contrasts=tuple(planned),
        exploratory=tuple(others),
        worth=worth,
        worth_lacking=curve if isinstance(curve, str) else None,
        prices=prices,
        sentences=tuple(sentences),
    )


def _exploratory(results: Results) -> list[Contrast]:
    """What of distilling's gain is more text, and what the larger teacher."""
    pairs = ((SELF_DISTILLED, DIRECT), (DISTILLED, SELF_DISTILLED))
    found = (contrast(results, results.main(first), results.main(second)) for first, second in pairs)
    return [one for one in found if one is not None]
