"""Results and what they say → all figures that have something to show, for a page or for files."""

from dataclasses import dataclass

from engine.comparison.plots.arms import forest_figure, seeds_figure
from engine.comparison.plots.labels import labels_figure
from engine.comparison.plots.trades import cost_figure, pool_figure, reliability_figure, speed_figure
from engine.comparison.results import Results
from engine.comparison.summary import Comparison
from engine.report.figures.charts import unchecked
from engine.report.figures.figure import Figure, Section


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures in the order in which they are read.

    Attributes:
        shown: those that have something to show.
        left_out: why others have not, by name.
    """

    shown: list[Figure]
    left_out: dict[str, str]

    @property
    def section(self) -> Section:
        """All of them, as a report has them."""
        return Section(name="comparison", title="Plots", figures=self.shown)


def comparison_figures(results: Results, comparison: Comparison) -> Figures:
    """The figures of ``results``; ``comparison`` is what `engine.comparison.summary.summarise` made of them."""
    with unchecked():
        made = {
            "seeds": seeds_figure(results, comparison) if comparison.rows else "nothing is trained yet",
            "differences": forest_figure(comparison) or "no two arms have a seed in common yet",
            "labels": labels_figure(results, comparison),
            "pool": pool_figure(results, comparison),
            "cost": cost_figure(results, comparison) if comparison.rows else "nothing is trained yet",
            "speed": speed_figure(comparison),
            "reliability": reliability_figure(results, comparison),
        }
    return Figures(
        shown=[one for one in made.values() if isinstance(one, Figure)],
        left_out={name: one for name, one in made.items() if isinstance(one, str)},
    )
