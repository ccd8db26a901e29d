"""``engine report`` without a browser: what the page holds, of every kind of store, and what is refused."""

import base64
import hashlib
import json
import math
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from report_pages import Elements, build, data_of, report_of, write_run
from row_files import write
from store_factory import add_corpus, add_labels, calibration_at, write_header

import engine
import store
from cli.main import run
from engine.errors import TrainingError
from engine.report.names import different, short, visible
from engine.report.runs import POINTS, read_runs
from store.errors import QueryError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration
from store.gold.reader import GoldReader
from store.storage import LocalStorage

TWO = ("bert", "roberta")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with gold, copies and two label sets, in four shards."""
    place = tmp_path_factory.mktemp("report") / "reviews.store"
    build(place, labels=TWO, rows=240, shards=4, corpus={"text": lambda row: f"Text {row // 2}: naïve 👍"})
    return place


@pytest.fixture(scope="module")
def html(place: Path) -> str:
    return report_of(place, labels="bert")[1]


@pytest.mark.parametrize(
    "name",
    ["confidence", "margin", "entropy", "length", "reliability", "risk-coverage", "drift", "class-drift", "classes"],
)
def test_a_plot_shows_the_answer_of_the_audit(place, html, name):
    answer = store.open(place).audit(name, labels="bert").to_pylist()
    figure = data_of(html)["figures"][name]
    shown = [row for row in figure["rows"] if row.get("of") is None] if figure["chosen_by"] == "of" else figure["rows"]
    keys = [{key: row[key] for key in answer[0]} for row in shown]
    assert sorted(keys, key=json.dumps) == sorted(answer, key=json.dumps)


def test_gold_that_was_chosen_for_being_hard_is_named_on_the_page_and_on_stderr(tmp_path, capsys):
    made = build(tmp_path / "a.store", labels=TWO, rows=240, shards=4, corpus={"label": lambda _row, _classes: None})
    hard = made.select("next", propose="margin", limit=20, labels="bert").rows.numbers()
    add_round(made, Labelled(rows=hard, labels=np.zeros(20, np.int16), sources=["me"] * 20))
    out = tmp_path / "report.html"
    assert run(["report", made.location, "--labels", "bert", "--out", str(out)]) == 0
    said = "20 of the 20 gold rows that count were chosen for being hard, by the selection 'next'"
    assert said in capsys.readouterr().err
    assert said.replace("'", "&#x27;") in out.read_text("utf-8")


@pytest.mark.parametrize("name", ["confidence", "margin", "entropy", "length", "reliability"])
def test_rows_of_the_classes_are_those_of_all_together(html, name):
    rows = data_of(html)["figures"][name]["rows"]
    bins = "tokens_from" if name == "length" else "low"
    whole = {row[bins]: row["rows"] for row in rows if row["of"] is None}
    parts: dict[float, int] = {}
    for row in rows:
        if row["of"] is not None:
            parts[row[bins]] = parts.get(row[bins], 0) + row["rows"]
    assert parts == whole


def test_a_curve_of_a_class_is_that_of_its_rows(place, html):
    reviews = (
        store.open(place).sql("SELECT gold, prediction FROM reviews WHERE gold IS NOT NULL", labels="bert").to_pylist()
    )
    ends = {row["of"]: row for row in data_of(html)["figures"]["risk-coverage"]["rows"]}
    for of in range(3):
        mine = [row for row in reviews if row["prediction"] == of]
        assert ends[of]["rows"] == len(mine)
        assert ends[of]["coverage"] == 1
        assert math.isclose(ends[of]["risk"], sum(row["gold"] != of for row in mine) / len(mine))


def test_intervals_are_those_of_the_estimates(place, html):
    answer = {row["label"]: row for row in store.open(place).audit("estimates", labels="bert").to_pylist()}
    rows = data_of(html)["figures"]["estimates"]["rows"]
    names = ["labelled right", *(f"“{name}”" for name in store.open(place).header.classes)]
    assert len(rows) == 2 * len(names)
    for row in rows:
        estimate = answer[None if row["name"] == "labelled right" else names.index(row["name"]) - 1]
        alone = row["key"] == "gold alone"
        columns = ("gold_alone", "gold_low", "gold_high") if alone else ("estimate", "low", "high")
        assert (row["value"], row["low"], row["high"]) == tuple(estimate[column] for column in columns)


def test_where_every_row_has_gold_nothing_is_estimated(tmp_path):
    build(tmp_path / "a.store", rows=60, corpus={"label": lambda row, classes: row % classes})
    figures = data_of(report_of(tmp_path / "a.store")[1])["figures"]
    assert "confusion" in figures
    assert "estimates" not in figures


def test_chosen_rounds_of_gold_alone_are_shown(tmp_path, capsys):
    build(tmp_path / "a.store", rows=60)
    made = store.open(tmp_path / "a.store")
    add_round(made, Labelled(rows=np.arange(12), labels=np.zeros(12, np.int16), sources=["me"] * 12))
    assert run(["report", made.location, "--round", "1", "--out", str(tmp_path / "a.html")]) == 0
    html = (tmp_path / "a.html").read_text()
    (estimate, *_) = made.audit("estimates", rounds=(1,)).to_pylist()
    assert {row["gold_rows"] for row in data_of(html)["figures"]["estimates"]["rows"]} == {estimate["gold_rows"]}
    assert "gold of round 1 alone" in html
    capsys.readouterr()
    assert run(["report", made.location, "--round", "2", "--out", str(tmp_path / "a.html")]) == 1
    assert "has no gold round 2" in capsys.readouterr().err


@pytest.mark.parametrize("labels", [TWO, ()])
@pytest.mark.parametrize("rounds", [None, (0,), (1,), (0, 2)])
def test_gold_that_came_later_is_counted_by_class_as_the_audit_counts_it(tmp_path, labels, rounds):
    made = build(tmp_path / "a.store", labels=labels, rows=60)
    add_round(made, Labelled(rows=np.arange(12), labels=np.zeros(12, np.int16), sources=["me"] * 12))
    add_round(made, Labelled(rows=np.arange(6), labels=np.full(6, 2, np.int16), sources=["you"] * 6))
    shown = data_of(report_of(tmp_path / "a.store", labels="bert" if labels else None, rounds=rounds)[1])["figures"]
    held = GoldReader(made, rounds).read(np.arange(60))[0]["gold"].drop_null().value_counts().to_pylist()
    counts = {row["label"]: row["rows"] for row in shown["gold-classes"]["rows"]}
    assert counts == {row["values"]: row["counts"] for row in held}
    if labels:
        assert sum(counts.values()) == made.audit("accuracy", labels="bert", rounds=rounds).to_pylist()[0]["rows"]


def test_a_cascade_begins_with_the_accuracy_of_the_audit_and_names_the_rows_that_both_labelled(tmp_path):
    made = build(tmp_path / "a.store", labels=("bert",), rows=240, shards=4)
    add_labels(made, "gpt", seed=5, failed=range(0, 240, 2))
    (right,) = made.audit("accuracy", labels="bert").to_pylist()
    step, *_ = made.audit("cascade", labels="bert").to_pylist()
    both = made.sql(
        "SELECT avg((gold = r.prediction)::INT) AS alone, count(*) AS n FROM reviews r JOIN labels o USING (row) "
        "WHERE o.label_set = 'gpt' AND o.prediction IS NOT NULL AND gold IS NOT NULL AND r.prediction IS NOT NULL",
        labels="bert",
    ).to_pylist()[0]
    assert (step["gold_rows"], step["accuracy"]) == (both["n"], pytest.approx(both["alone"]))
    assert step["gold_rows"] < right["rows"]
    words = " ".join(Elements(report_of(tmp_path / "a.store", labels="bert")[1]).words)
    assert f"Of the {both['n']} gold rows that “gpt” labelled, too, it is right on {100 * both['alone']:.1f} %" in words
    assert f"(Alone, of all {right['rows']} gold rows: {100 * right['accuracy']:.1f} %.)" in words


def test_where_both_label_sets_labelled_all_gold_a_cascade_says_the_accuracy_once(place, html):
    (right,) = store.open(place).audit("accuracy", labels="bert").to_pylist()
    words = " ".join(Elements(html).words)
    assert f"Of the {right['rows']} gold rows that “roberta” labelled, too, it is right on " in words
    assert f"it is right on {100 * right['accuracy']:.1f} % alone" in words
    assert "(Alone, of all" not in words


def test_a_temperature_is_said_beside_the_error(tmp_path):
    build(tmp_path / "a.store", rows=60)
    made = store.open(tmp_path / "a.store")
    add_calibration(made, calibration_at(1.5, made=made))
    after = made.audit("calibrated").to_pylist()[1]
    words = Elements(report_of(tmp_path / "a.store")[1]).words
    error = 100 * after["expected_calibration_error"]
    assert any(f"{error:.1f} % at the temperature that was fitted to gold, 1.50" in word for word in words)


def test_matrices_have_every_cell(place, html):
    answer = store.open(place).audit("confusion", labels="bert").to_pylist()
    cells = {
        (row["of"], row["other"]): (row["rows"], row["share"]) for row in data_of(html)["figures"]["confusion"]["rows"]
    }
    assert len(cells) == 9
    assert {(row["gold"], row["prediction"]): (row["rows"], row["share_of_gold"]) for row in answer} == {
        cell: values for cell, values in cells.items() if values[0]
    }


def test_every_plot_is_vega_lite(place, html, tmp_path):
    alone = report_of(place, labels="bert", runs=(write_run(tmp_path / "run"),))[1]
    figures = data_of(alone)["figures"]
    assert {"training-loss", "validation-accuracy", "validation-log-loss"} <= figures.keys()
    for figure in figures.values():
        vl_convert.vegalite_to_vega(figure["spec"])


def test_tiles_show_the_figures_of_the_audit(place, html):
    words = Elements(html).words
    opened = store.open(place)
    (right,) = opened.audit("accuracy", labels="bert").to_pylist()
    (scores,) = opened.audit("calibration", labels="bert").to_pylist()
    (pair,) = opened.audit("agreement").to_pylist()
    for value in (right["accuracy"], scores["expected_calibration_error"], pair["share"]):
        assert f"{100 * value:.1f} %" in words
    (note,) = [word for word in words if word.startswith("95 % interval ")]
    assert f"{100 * right['low']:.1f} % – {100 * right['high']:.1f} %; {right['rows']} gold rows" in note
    assert words[words.index("Copies") + 1] == "120"


def test_tables_show_the_rows_of_the_audit_with_their_texts(place, html):
    tables = data_of(html)["tables"]
    opened = store.open(place)
    for name in ("ties", "label-errors", "annotate"):
        answer = opened.audit(name, labels="bert").to_pylist()[:100]
        assert [row["id"] for row in tables[name]["rows"]] == [row["id"] for row in answer]
        assert [row["text"] for row in tables[name]["rows"]] == [row["text"] for row in answer]
    wrong = opened.sql(
        "SELECT id FROM reviews WHERE gold <> prediction ORDER BY confidence DESC, row LIMIT 100", labels="bert"
    )
    assert [row["id"] for row in tables["surest-mistakes"]["rows"]] == wrong.column("id").to_pylist()
    copies = opened.audit("duplicates", labels="bert").to_pylist()
    assert [row["copies"] for row in tables["duplicates"]["rows"]] == [row["rows"] for row in copies]
    assert all(row["class"] != row["other_class"] for row in tables["surest-disagreements"]["rows"])
    assert all(len(row["of"]) in (1, 2, 3) for name in ("ties", "surest-mistakes") for row in tables[name]["rows"])


def test_the_page_is_complete_and_asks_nobody(html):
    tags = Elements(html).tags
    assert not [attributes for _, attributes in tags if {"src", "action", "srcset", "style"} & attributes.keys()]
    assert all(attributes["href"].startswith("#") for _, attributes in tags if "href" in attributes)
    assert not [attributes for _, attributes in tags for name in attributes if name.startswith("on")]
    assert {tag for tag, _ in tags} & {"link", "img", "iframe", "object", "base", "form"} == set()


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(html):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    hashes = {
        kind: [
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        ]
        for kind in ("script", "style")
    }
    assert (len(hashes["script"]), len(hashes["style"])) == (2, 1)
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src {' '.join(hashes['script'])}",
        f"style-src {' '.join(hashes['style'])}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert html.count("</script>") == 3


NASTY = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\u2028\u2029",
    "\x00\x1b[31m",
    "שלום עולם",
    "a\u202eb",
    "'\"&\\`${1}",
]


def test_texts_of_users_are_escaped_everywhere(tmp_path):
    place = tmp_path / "<b>&amp;.store"
    build(
        place,
        classes=["<i>no</i>", NASTY[0], "\u202e\x00"],
        corpus={"text": lambda row: NASTY[row % len(NASTY)] * 30, "id_": lambda row: f"{NASTY[row % len(NASTY)]}{row}"},
    )
    folder = write_run(tmp_path / "<script>alert(2)<")
    _, html = report_of(place, runs=(folder,))
    tags = [tag for tag, _ in Elements(html).tags]
    assert (tags.count("script"), tags.count("i"), tags.count("b")) == (3, 0, len(re.findall("<b>", html)))
    block = html[html.index('id="data">') :].partition("</script>")[0][len('id="data">') :]
    assert not set("<>&\u2028\u2029\x00") & set(block)
    data = data_of(html)
    texts = {row["text"] for row in data["tables"]["ties"]["rows"]}
    assert {visible(text * 30)[:400] for text in NASTY[:1]} <= texts
    assert data["classes"] == ["<i>no</i>", NASTY[0], "⍰␀"]
    assert "<bdi>&lt;script&gt;alert(2)&lt;</bdi>" in html


def test_long_texts_are_cut_and_say_how_long_they_are(tmp_path):
    place = tmp_path / "long.store"
    build(place, rows=12, corpus={"text": lambda row: "x" * (400 + row), "id_": lambda row: f"{row:0500}"})
    report, html = report_of(place)
    rows = data_of(html)["tables"]["ties"]["rows"]
    assert all(len(row["text"]) == 400 and len(row["id"]) == 60 for row in rows)
    assert sorted(row.get("n_chars", 400) for row in rows) == list(range(400, 412))
    assert report.bytes < 5_000_000


def test_invisible_characters_are_made_visible():
    for code in [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202E, 0x2066, 0xFEFF]:
        assert chr(code) in "\t\n\r" or unicodedata.category(visible(chr(code))) == "So"
    assert visible("👩\u200d💻 שלום naïve\n") == "👩\u200d💻 שלום naïve\n"
    assert short("x" * 61) == "x" * 59 + "…"
    assert short(" \n ") == "(blank)"
    assert different(["a", "x" * 100, "x" * 101]) == ["a", f"{'x' * 59}… #2", f"{'x' * 59}… #3"]


def test_a_store_without_labels_shows_its_corpus(tmp_path, capsys):
    build(tmp_path / "a.store", labels=())
    report, html = report_of(tmp_path / "a.store")
    assert report.labels is None
    assert report.figures == ["gold-classes"]
    assert report.tables == ["rejected-rows"]
    assert "` makes them" in report.lacking["classes"]
    words = Elements(html).words
    assert words[words.index("Labelled") + 1] == "0"
    assert run(["report", str(tmp_path / "a.store"), "--out", str(tmp_path / "page.html"), "--format", "table"]) == 0
    shown = capsys.readouterr().out
    assert "gold-classes" in shown
    assert "[" not in shown


def test_a_store_without_gold_says_so(tmp_path):
    build(tmp_path / "a.store", corpus={"label": lambda row, classes: None})
    report, html = report_of(tmp_path / "a.store")
    assert "confusion" not in report.figures
    assert {"classes", "confidence", "length", "drift"} <= set(report.figures)
    assert "has a gold label" in report.lacking["accuracy"]
    assert "has a gold label" in html
    assert "Accuracy" not in Elements(html).words


def test_unfinished_stores_show_what_is_there(tmp_path):
    made = write_header(LocalStorage(tmp_path / "a.store"), rows=60, shards=3)
    add_corpus(made, shards=[0, 2])
    add_labels(made, "bert", shards=[2])
    report, html = report_of(tmp_path / "a.store")
    words = Elements(html).words
    assert words[words.index("Rows") + 1] == "40"
    assert words[words.index("Labelled") + 1] == "20"
    assert "33.3 % of the rows; 40 are to come" in words
    assert "drift" not in report.figures
    begun = write_header(LocalStorage(tmp_path / "b.store"), rows=60)
    add_corpus(begun)
    begun.label_set("bert").freeze_card({"model": "m"})
    report, html = report_of(tmp_path / "b.store")
    assert "nothing is committed yet" in Elements(html).words


def test_failures_alone_are_shown(tmp_path):
    made = write_header(LocalStorage(tmp_path / "a.store"), rows=30)
    add_corpus(made)
    add_labels(made, "bert", failed=range(30))
    report, html = report_of(tmp_path / "a.store")
    assert report.figures == ["gold-classes", "failures"]
    assert report.tables == ["failed-rows", "rejected-rows"]
    words = Elements(html).words
    assert words[words.index("Failed") + 1] == "30"
    assert len(data_of(html)["tables"]["failed-rows"]["rows"]) == 30


def test_answers_have_no_figures_of_tokens_that_nobody_counted(tmp_path):
    build(tmp_path / "a.store", labels=("bert",), rows=30, shards=2)
    file = write(tmp_path / "gpt.csv", [{"id": f"id-{row}", "label": "neutral"} for row in range(20)])
    engine.label_from(engine.AnswersConfig(store=str(tmp_path / "a.store"), name="gpt", inputs=(str(file),)))
    report, html = report_of(tmp_path / "a.store", labels="gpt")
    words = Elements(html).words
    assert "by the answers in gpt.csv" in words
    assert words[words.index("Failed") + 1] == "10"
    assert "Truncated" not in words
    assert "length" not in report.figures
    assert {"agreement", "failures", "confidence"} <= set(report.figures)
    other, html = report_of(tmp_path / "a.store", labels="bert")
    assert "length" in other.figures
    assert "Truncated" in Elements(html).words


def test_one_class_predicted(tmp_path):
    made = write_header(LocalStorage(tmp_path / "a.store"), rows=30)
    add_corpus(made)
    add_labels(made, "bert", logits=np.tile(np.float16([0, 9, 0]), (30, 1)))
    report, html = report_of(tmp_path / "a.store")
    assert "“neutral” is predicted most, for 100.0 % of the rows" in html
    assert {"reliability", "risk-coverage", "class-drift"} <= set(report.figures)


def test_many_classes_do_not_burst_the_plots(tmp_path):
    names = [f"class {number} {'with a long name ' * 8}" for number in range(120)]
    build(tmp_path / "a.store", rows=800, shards=2, classes=names)
    report, html = report_of(tmp_path / "a.store")
    data = data_of(html)
    assert len(data["figures"]["classes"]["rows"]) == len(data["figures"]["gold-classes"]["rows"]) == 20
    rest = 1 - sum(row["share"] for row in data["figures"]["classes"]["rows"])
    assert f"The 20 most frequent; the other 100 have {100 * rest:.1f} % together." in html
    assert len(data["figures"]["confusion"]["rows"]) == 16 * 16
    assert sum(row["rows"] for row in data["figures"]["confusion"]["rows"]) == 600
    assert (len(data["choices"]), len(set(data["classes"]))) == (100, 120)
    assert report.bytes < 5_000_000


def test_one_of_several_label_sets_is_chosen(place, html):
    with pytest.raises(StoreMissingError, match="has 2 label sets: bert, roberta; choose one with --labels"):
        report_of(place)
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'; it has: bert, roberta"):
        report_of(place, labels="gpt")
    other = data_of(report_of(place, labels="roberta")[1])
    assert other["figures"]["confidence"]["rows"] != data_of(html)["figures"]["confidence"]["rows"]
    assert other["figures"]["agreement"]["rows"] == data_of(html)["figures"]["agreement"]["rows"]


def test_runs_are_compared(tmp_path):
    build(tmp_path / "a.store", labels=())
    folders = [
        write_run(tmp_path / "teacher", steps=1_000),
        write_run(tmp_path / "student", accuracy=None),
        write_run(tmp_path / "going", done=False),
        write_run(tmp_path / "other" / "student", accuracy=0.5),
    ]
    report, html = report_of(tmp_path / "a.store", runs=tuple(folders))
    assert report.runs == 4
    (table,) = re.findall('id="runs">.*?</table>', html)
    lines = [re.findall(r"<bdi>(.*?)</bdi>", line) for line in re.findall(r"<tr><td.*?</tr>", table)]
    names = [f"{tmp_path.name}/teacher", f"{tmp_path.name}/student", f"{tmp_path.name}/going", "other/student"]
    gold = "fine-tuned on gold labels"
    assert lines == [
        [names[0], "start-teacher, 2.5M", gold, "240", "12.5", "90.0 %", "0.8000", "1,234"],
        [names[1], "start-student", gold, "240", "12.5", "not judged", "—", "—"],
        [names[2], "—", "—", "—", "—", "not done; 30 steps", "—", "—"],
        [names[3], "start-student, 2.5M", gold, "240", "12.5", "50.0 %", "0.8000", "1,234"],
    ]
    losses = data_of(html)["figures"]["training-loss"]["rows"]
    assert {row["name"] for row in losses} == set(names)
    assert max(row["step"] for row in losses) == 1_000
    assert len([row for row in losses if row["name"] == names[0]]) <= POINTS
    assert [row["accuracy"] for row in data_of(html)["figures"]["validation-accuracy"]["rows"]] == [0.875] * 4


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("training.json", "{", "training.json is damaged"),
        ("training.json", "[]", "training.json is damaged"),
        ("training.json", '{"start": 3}', "start is 3"),
        ("training.json", '{"start": "m"}', "KeyError: 'procedure'"),
        ("metrics.jsonl", b"\xff\xfe", "metrics.jsonl cannot be read"),
    ],
)
def test_a_damaged_run_is_told(tmp_path, file, content, message):
    folder = write_run(tmp_path / "run")
    (tmp_path / "run" / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TrainingError, match=re.escape(message)) as caught:
        read_runs((folder,))
    assert "leave its --run away, or train it again" in str(caught.value)


def test_what_is_no_run_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(TrainingError, match="name one that `engine train` or `engine finetune` made with --out"):
            read_runs((str(folder),))
    same = write_run(tmp_path / "run")
    assert [run.name for run in read_runs((same, same))] == ["run (1)", "run (2)"]


def test_lines_of_metrics_that_are_no_numbers_are_left_out(tmp_path):
    folder = write_run(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text(
        '{"step": 1, "loss": NaN}\n{"step": 2, "loss": 0.5, "epoch": 1}\n{"step": "x"}\n{"step": 3, "lo'
    )
    (one,) = read_runs((folder,))
    assert one.curve == [{"step": 2, "epoch": 1, "loss": 0.5}]


def test_the_command_writes_the_page_and_says_what_is_in_it(place, tmp_path, capsys):
    out = tmp_path / "page.html"
    out.write_text("an earlier one")
    assert run(["report", str(place), "--labels", "bert", "--out", str(out), "--format", "json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)
    assert summary["bytes"] == out.stat().st_size > 100_000
    assert (summary["labels"], summary["runs"]) == ("bert", 0)
    assert {"confusion", "classes", "agreement"} <= set(summary["figures"])
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_refused_leaves_an_earlier_page(place, tmp_path, capsys):
    out = tmp_path / "page.html"
    out.write_text("an earlier one")
    arguments = ["report", str(place), "--out", str(out)]
    for more, code, message in (
        ([], 1, "has 2 label sets"),
        (["--labels", "gpt"], 1, "has no label set 'gpt'"),
        (["--labels", "bert", "--run", str(tmp_path)], 1, "is no folder of a training"),
        (["--labels", "bert", "--timeout", "0.1"], 1, "see --timeout"),
        (["--labels", "bert", "--memory", "3"], 1, "it must be a size"),
        (["--labels", "bert", "--out", str(tmp_path / "no" / "page.html")], 2, "is no folder; make it"),
        (["--labels", "bert", "--out", str(tmp_path)], 2, "is a folder; name a file in it"),
    ):
        assert run([*arguments, *more]) == code
        assert message in capsys.readouterr().err
    assert run(["report", str(tmp_path / "nothing"), "--out", str(out)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert out.read_text() == "an earlier one"


def test_damage_has_its_exit_code(tmp_path, capsys):
    place = tmp_path / "a.store"
    build(place)
    for file in (place / "labels" / "bert").glob("00000-*.arrow"):
        file.write_bytes(file.read_bytes()[:-30])
    assert run(["report", str(place), "--out", str(tmp_path / "page.html")]) == 4
    assert "damage: " in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_a_question_that_fails_is_told(place):
    from engine.report.answers import ask
    from store.sql.process import Limits

    with pytest.raises(QueryError, match="memory"):
        ask(store.open(place), labels="bert", limits=Limits(memory="10MB"))


def test_the_report_loads_no_torch():
    code = "import sys, engine.report.report\nassert not {'torch', 'transformers', 'webdataset', 'duckdb'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
