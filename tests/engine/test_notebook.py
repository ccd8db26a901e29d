"""What results look like in a notebook: HTML of their figures, in which texts stay texts."""

from engine.evaluation.evaluate import Evaluation
from engine.labelling.summary import LabelSummary
from engine.notebook import html_pairs, html_table
from engine.report.report import Report
from engine.training.loop import LoopConfig
from engine.training.output.trained import Trained
from engine.training.state import EpochReport

EVALUATION = Evaluation(
    model="<b>student</b>", rows=1200, accuracy=0.94125, macro_f1=0.9, log_loss=0.2, ece=0.01,
    f1={"a&b": 0.95, "c": 0.85}, confusion={"a&b": {"a&b": 500, "c": 100}, "c": {"a&b": 50, "c": 550}},
    rows_per_second=1234.5, parameters=22_713_986, megabytes=90.9,
)  # fmt: skip


def test_pairs_and_tables():
    pairs = html_pairs(
        "a <title>", {"rows_done": 12_345, "share": 0.123456789, "none": None, "fine": True, "names": ["x", 2]}
    )
    assert "<caption>a &lt;title&gt;</caption>" in pairs
    assert '<th scope="row">rows done</th><td>12,345</td>' in pairs
    assert "<td>0.12346</td>" in pairs
    assert "none" not in pairs
    assert "<td>true</td>" in pairs
    assert "<td>x, 2</td>" in pairs
    table = html_table("", ["arm", "n", "how"], [["<i>", 1, "x"], ["b", 2500.5, "y"]], words=("how",))
    assert "<caption>" not in table
    assert '<td>&lt;i&gt;</td><td class="number">1</td><td>x</td>' in table
    assert '<td class="number">2,500.5</td>' in table


def test_an_evaluation():
    html = EVALUATION._repr_html_()
    assert "&lt;b&gt;student&lt;/b&gt;" in html
    assert "<td>0.94125</td>" in html
    assert (
        '<tr><td>a&amp;b</td><td class="number">500</td><td class="number">100</td><td class="number">0.95</td></tr>'
        in html
    )


def test_a_training():
    trained = Trained(
        out="student", start="bert", procedure="distilled", classes=["a", "b"], rows=100, max_length=128, loop=LoopConfig(),
        epochs=[EpochReport(epoch=1, loss=0.25, rows=100, seconds=2.0, waited=0.5)], evaluation=EVALUATION,
    )  # fmt: skip
    html = trained._repr_html_()
    assert '<th scope="row">rows per second</th><td>50</td>' in html
    assert '<th scope="row">loss of the last epoch</th><td>0.25</td>' in html
    assert EVALUATION._repr_html_() in html


def test_a_label_run_and_a_report():
    summary = LabelSummary(
        store="r.store", name="bert", rows=100, rejected=0, failed=0, truncated=0, shards_done=2, shards=2, shards_missing=0,
        rows_done=100, seconds=1.5, rows_per_second=66.7, tokens_per_second=None, padding=None, model_tflops=None,
        utilisation=None, waiting=None, checked=0, largest_difference=None, flips=0, agreement=None,
        stages={"tokenise": 0.25, "compute": 0.75}, device="cpu", devices=["cpu"], dtype="fp32", processor="x",
    )  # fmt: skip
    html = summary._repr_html_()
    assert "<caption>bert of r.store</caption>" in html
    assert "<td>tokenise: 0.25, compute: 0.75</td>" in html
    assert "padding" not in html
    page = Report(
        out="r.html", bytes=10, labels=None, figures=["a"], tables=[], runs=0, seconds=1.0, lacking={}, note=None
    )
    assert "<caption>Report r.html</caption>" in page._repr_html_()
