"""Plots of an experiment: what is drawn, what is left out, and the files and the page that have them."""

import dataclasses
from pathlib import Path

import pytest
import vl_convert
from made_comparison import ACCURACIES, POOLS, made_results
from report_pages import Elements, data_of

from engine.comparison.page import write_comparison_page
from engine.comparison.plots.figures import comparison_figures
from engine.comparison.plots.files import still, write_plots
from engine.comparison.prices import Prices
from engine.comparison.results import ARMS, TEACHER, Results
from engine.comparison.summary import Comparison, summarise
from engine.errors import InputError
from engine.report.figures.figure import Figure

EVERY = ["seeds", "differences", "labels", "pool", "cost", "speed", "reliability"]


@pytest.fixture(scope="module")
def results() -> Results:
    return made_results(rows=800, accuracies={**ACCURACIES, **POOLS})


@pytest.fixture(scope="module")
def comparison(results: Results) -> Comparison:
    return summarise(results, Prices(device_hour=2.0, label=0.1))


@pytest.fixture(scope="module")
def figures(results: Results, comparison: Comparison) -> dict[str, Figure]:
    return {one.name: one for one in comparison_figures(results, comparison).shown}


def test_every_plot_is_vega_lite(figures):
    assert list(figures) == EVERY
    for figure in figures.values():
        vl_convert.vegalite_to_vega(figure.spec)
        known = set().union(*(row.keys() for row in figure.rows))
        assert set(figure.columns) <= known, figure.name


def test_every_seed_is_a_dot(results, figures):
    dots = [row for row in figures["seeds"].rows if row["kind"] == "seed"]
    runs = [run for run in results.runs if run.recipe in [results.main(arm) for arm in ARMS]]
    expected = [float((run.predicted == results.gold).mean()) for run in runs]
    assert sorted(row["accuracy"] for row in dots) == pytest.approx(sorted(expected))


def test_differences_are_the_contrasts_in_points(comparison, figures):
    means = [row for row in figures["differences"].rows if row["kind"] == "mean"]
    every = [*comparison.contrasts, *comparison.exploratory]
    assert [row["difference"] for row in means] == pytest.approx([100 * one.difference for one in every])
    assert [row["low"] for row in means] == pytest.approx([100 * one.low for one in every])
    assert [row["part"] for row in means] == ["planned"] * 3 + ["exploratory"] * 2


def test_the_arrow_ends_at_equal_labels_and_the_line_is_dashed_beyond_the_measured(comparison, figures):
    rows = figures["labels"].rows
    worth = comparison.worth
    (arrow,) = [row for row in rows if row["kind"] == "arrow"]
    assert (arrow["labels"], arrow["end"]) == (worth.labels, min(worth.equal, worth.trusted))
    assert max(row["labels"] for row in rows if row["kind"] == "line") == pytest.approx(worth.sizes[-1])
    assert min(row["labels"] for row in rows if row["kind"] == "extrapolated") == pytest.approx(worth.sizes[-1])
    (interval,) = [row for row in rows if row["kind"] == "interval"]
    assert interval["end"] == pytest.approx(worth.trusted if worth.high is None else min(worth.high, worth.trusted))


def test_pools_have_all_their_sizes(figures):
    rows = figures["pool"].rows
    assert {row["text_rows"] for row in rows} == {3_000, 9_000, 27_000}
    assert {row["arm"] for row in rows} == {"distilled"}, "the other has one pool"


def test_what_has_nothing_to_show_is_left_out_with_a_word():
    plain = made_results(rows=200, seeds=1, speeds=False)
    found = comparison_figures(plain, summarise(plain))
    assert {one.name for one in found.shown} == set(EVERY) - {"pool", "speed"}
    assert "--pool-sizes" in found.left_out["pool"]
    assert "no speeds were measured" in found.left_out["speed"]
    nothing = dataclasses.replace(plain, runs=())
    assert comparison_figures(nothing, summarise(nothing)).shown == []
    teacher = dataclasses.replace(plain, runs=tuple(run for run in plain.runs if run.arm == TEACHER))
    assert [one.name for one in comparison_figures(teacher, summarise(teacher)).shown] == [
        "seeds",
        "cost",
        "reliability",
    ]


@pytest.mark.parametrize(
    "change", [{"seeds": 2, "rows": 40}, {"seeds": 1, "rows": 2}, {"seeds": 2, "rows": 30, "seed": 5}]
)
def test_few_rows_are_drawn_too(change):
    few = made_results(**{"classes": tuple("abcde"), **change})
    found = comparison_figures(few, summarise(few, Prices(label=0.0)))
    assert found.left_out["cost"] == "nothing costs anything"
    for figure in found.shown:
        vl_convert.vegalite_to_vega(still(figure))


def test_a_still_plot_has_colours_rows_and_a_title_of_its_own(figures):
    for figure in figures.values():
        spec = still(figure)
        assert "var(" not in str(spec)
        assert spec["datasets"]["rows"] == figure.rows
        assert spec["title"]["text"] == figure.title
        assert isinstance(spec["width"], int)


def test_files_of_all_formats(tmp_path, results, comparison):
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "seeds.png").write_text("an old one")
    few = dataclasses.replace(results, runs=tuple(run for run in results.runs if run.arm == TEACHER), speeds={})
    written = write_plots(few, summarise(few), folder)
    assert sorted(one.name for one in written.files) == sorted(one.name for one in folder.iterdir())
    assert {one.suffix for one in written.files} == {".png", ".svg", ".pdf"}
    assert (folder / "seeds.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert (folder / "seeds.pdf").read_bytes().startswith(b"%PDF-")
    assert "How accurate is each arm, seed by seed?" in (folder / "seeds.svg").read_text()
    assert set(written.left_out) == {"differences", "labels", "pool", "speed"}


def test_plots_that_cannot_be_written_are_refused(tmp_path, results, comparison):
    with pytest.raises(InputError, match="gif; there are png, svg, pdf"):
        write_plots(results, comparison, tmp_path, formats=("gif",))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another folder for plots"):
        write_plots(results, comparison, tmp_path / "file" / "plots", formats=("svg",))


def test_the_page_has_tables_sentences_and_plots(tmp_path, results, comparison, monkeypatch):
    monkeypatch.setattr("engine.report.page._bundle", lambda: "")  # seconds, and tested with the report
    write_comparison_page(results, comparison, tmp_path / "compare.html")
    html = Path(tmp_path / "compare.html").read_text()
    assert list(data_of(html)["figures"]) == EVERY
    elements = Elements(html)
    assert set(comparison.sentences) <= set(elements.words)
    assert sum(tag == "table" for tag, _ in elements.tags) == 2
    assert not [attributes for _, attributes in elements.tags if "style" in attributes]
    assert "A class that is chosen" not in html
    assert "Drag to move" not in html
