"""`benchmarks.gpu.run`, whole, small and on a CPU, as a GPU machine has it: nothing installed that it can do without."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.run import PARTS, run_parts, table
from benchmarks.gpu.setup import Setup
from benchmarks.harness.made_models import SHAPES

ROOT = Path(__file__).parents[2]
ROWS = 48


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All parts: one here, the others by a call that finds its figures and goes on."""
    folder = tmp_path_factory.mktemp("gpu")
    blocked, work, out = folder / "blocked", folder / "work", folder / "gpu.json"
    blocked.mkdir()
    for name in ("duckdb", "webdataset", "rich"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not here')\n")
    setup = Setup(work=work, shape="tiny", device="cpu", rows=ROWS, sample=16, exact=8, rounds=1)
    run_parts(setup, ["ceilings"], out, commit="0" * 40)
    command = [sys.executable, "-m", "benchmarks.gpu.run", "--device", "cpu", "--shape", "tiny", "--rounds", "1"]
    command += ["--rows", str(ROWS), "--sample", "16", "--exact", "8", "--work", str(work), "--out", str(out)]
    done = subprocess.run(
        [*command, "--part", *(name for name in PARTS if name != "ceilings")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(blocked), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "label: 48 rows in" in done.stdout
    read: dict[str, Any] = json.loads(out.read_text())
    return read


def test_texts_are_labelled_on_a_cpu_and_the_result_is_kept(tmp_path: Path) -> None:
    """The short form: one part, in this process."""
    setup = Setup(work=tmp_path / "work", shape="tiny", device="cpu", rows=ROWS, sample=16, exact=8, rounds=1)
    run_parts(setup, ["label"], tmp_path / "gpu.json", commit="0" * 40)
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert set(kept) == {"label"}
    assert kept["label"]["rows"] == ROWS
    assert kept["label"]["devices"] == ["cpu"]


@pytest.mark.slow
def test_every_part_is_in_the_result_with_its_conditions(result: dict[str, Any]) -> None:
    assert set(result) == set(PARTS)
    assert all(part["conditions"]["versions"]["torch"] for part in result.values())
    assert result["ceilings"]["conditions"]["commit"] == "0" * 40


@pytest.mark.slow
def test_the_logits_are_those_of_transformers(result: dict[str, Any]) -> None:
    exact = result["correctness"]
    assert exact["fp32"]["out_of_bound"] == 0
    assert exact["fp32"]["failed"] == exact["fp16"]["failed"] == 0
    assert exact["fp16"]["out_of_bound"] == 0
    assert exact["fp8"]["out_of_bound"] == exact["fp8"]["failed"] == 0
    assert exact["fp8"]["largest_difference"] > 2 * exact["fp16"]["largest_difference"]
    assert exact["spread_of_logits"] > 0.05


@pytest.mark.slow
def test_every_row_is_labelled_by_one_worker_and_by_two(result: dict[str, Any]) -> None:
    assert result["label"]["rows"] == result["two"]["rows"] == ROWS
    assert result["label"]["devices"] == ["cpu"]
    assert result["two"]["devices"] == ["cpu", "cpu"]
    assert result["two"]["against_one_worker"] > 0
    assert 0 <= result["label"]["waiting"] <= 1


@pytest.mark.slow
def test_every_row_is_labelled_in_fp8(result: dict[str, Any]) -> None:
    assert result["fp8"]["rows"] == ROWS
    assert (result["fp8"]["dtype"], result["fp8"]["path"]) == ("fp8", "fp8")
    assert result["label"]["path"] == result["two"]["path"] == "fused"
    assert result["fp8"]["against"]["fp32"] > 0
    assert result["fp8"]["mfu"] > 0


@pytest.mark.slow
def test_utilisation_is_the_model_against_the_measured_product(result: dict[str, Any]) -> None:
    label = result["label"]
    assert label["mfu"] == pytest.approx(label["model_tflops"] / result["ceilings"]["fp32"]["square"], abs=1e-3)


@pytest.mark.slow
def test_the_peers_are_compared_with_ours_in_the_same_rounds(result: dict[str, Any]) -> None:
    figures = result["peers"]["figures"]
    assert figures["engine"]["times_as_fast"] == 1
    assert len(figures) == 3
    assert all(len(times) == 1 for times in result["peers"]["seconds"].values())


@pytest.mark.slow
def test_a_student_learns_from_the_store(result: dict[str, Any]) -> None:
    figures = result["train"]
    assert figures["rows"] == ROWS
    assert figures["mfu"] == pytest.approx(figures["model_tflops"] / result["ceilings"]["fp32"]["square"], rel=0.05)
    assert isinstance(figures["trainer"], str) or figures["trainer"]["random"]["rows_per_second"] > 0


@pytest.mark.slow
def test_the_table_tells_every_part(result: dict[str, Any]) -> None:
    text = "\n".join(table(result))
    for word in (
        "fp16, against transformers",
        "TFLOP/s square",
        "label: 48 rows",
        "two: 48 rows",
        "fp8: 48 rows",
        "pipeline",
        "train: 48 rows",
    ):
        assert word in text


def test_operations_of_a_text_are_those_of_bert_base() -> None:
    """12 layers of 12 · 768² weights, two operations for each weight and token, and attention's two products."""
    assert SHAPES["bert-base"].flops(512, 512**2) == 12 * (2 * 512 * 12 * 768**2 + 4 * 512**2 * 768)
