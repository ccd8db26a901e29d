import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import store
from engine.compute.backend import BOUNDS
from engine.errors import LabellingError
from engine.labelling.parity_check import ParityCheck, check_parity, chosen_rows
from engine.labelling.planning.choices import Choices
from engine.labelling.stored_logits import CENTRED_FROM, as_stored

ROWS = 2_560
EXACT = np.random.default_rng(0).normal(0, 3, (ROWS, 3)).astype(np.float32)


class Exact:
    """Computes what a test says."""

    def __init__(self, dtype="fp32", logits=EXACT):
        self.dtype, self.bound = dtype, BOUNDS[dtype]
        self.logits = logits
        self.asked = []

    def exact_logits(self, tokens, row):
        self.asked.append(row)
        return self.logits[row]


def check(stored, *, encoder=None, rows=8, shard=0, **options):
    return check_parity(encoder or Exact(), None, stored.astype(np.float16), shard=shard, rows=rows, **options)


def moved(by, *, row):
    stored = EXACT.copy()
    stored[row, 1] += by
    return stored


@given(st.integers(0, 1_500), st.integers(0, 50), st.integers(0, 2**31), st.randoms())
def test_chosen_rows_are_always_the_same_few_and_never_failed_ones(size, rows, shard, random):
    stored = np.zeros((size, 2), np.float16)
    failed = random.sample(range(size), random.randint(0, size))
    stored[failed, random.randint(0, 1)] = random.choice([np.nan, np.inf, -np.inf])
    chosen = chosen_rows(stored, shard=shard, rows=rows)
    assert len(chosen) == min(rows, -(-(size - len(failed)) // 256))
    assert chosen.tolist() == sorted(set(chosen.tolist()) - set(failed))
    assert chosen.tolist() == chosen_rows(stored.copy(), shard=shard, rows=rows).tolist()


def test_shards_have_other_rows():
    stored = np.zeros((ROWS, 2), np.float16)
    assert len({tuple(chosen_rows(stored, shard=shard, rows=8)) for shard in range(20)}) == 20


@pytest.mark.parametrize(("stored", "rows"), [(EXACT, 0), (EXACT[:0], 8), (np.full((9, 3), np.nan), 8)])
def test_nothing_to_compare_is_no_check(stored, rows):
    encoder = Exact()
    assert check(stored, encoder=encoder, rows=rows) is None
    assert encoder.asked == []


def test_what_storing_costs_passes_and_is_told():
    encoder = Exact()
    found = check(EXACT, encoder=encoder)
    difference = np.abs(EXACT.astype(np.float16).astype(np.float32) - EXACT)[encoder.asked].max()
    assert found == ParityCheck(rows=8, largest_difference=round(float(difference), 7), flips=0)
    assert 0 < found.largest_difference < 1e-2


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 100.0, 6e4])
def test_storing_alone_never_passes_the_bound(size):
    exact = (np.random.default_rng(1).uniform(-1, 1, (ROWS, 3)) * size).astype(np.float32)
    assert check(exact, encoder=Exact(logits=exact), rows=10).rows == 10


def test_a_row_that_is_too_far_off_is_named_with_both_logits():
    row = chosen_rows(EXACT.astype(np.float16), shard=7, rows=8)[3]
    with pytest.raises(
        LabellingError, match=rf"shard 7: the logits of its row {row} are .*more than fp32 explains.*--dtype fp32"
    ):
        check(moved(0.05, row=row), shard=7)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_every_dtype_has_a_bound_of_its_own(dtype):
    row = chosen_rows(EXACT.astype(np.float16), shard=0, rows=8)[0]
    absolute, relative, seldom = BOUNDS[dtype]
    bound = seldom * (absolute + relative * abs(EXACT[row, 1]))
    with pytest.raises(LabellingError, match=f"more than {dtype} explains"):
        check(moved(1.6 * bound + 2e-3, row=row), encoder=Exact(dtype))
    if dtype != "fp32":
        assert check(moved(0.6 * bound, row=row), encoder=Exact(dtype)).rows == 8


@pytest.mark.parametrize(("rows", "few"), [(4, 2), (8, 2), (24, 3)])
def test_a_few_rows_may_be_further_off_and_not_more(rows, few):
    """As rounding in bf16 moves some rows of which a model is unsure: one of a thousand is off by more than 0.1."""
    exact = np.zeros((rows, 3), np.float32)
    bound = BOUNDS["bf16"]
    logits = exact.copy()
    logits[:few, 0] = 0.5
    assert not bound.exceeded(logits, exact).any()
    logits[: few + 1, 0] = 0.5
    assert bound.exceeded(logits, exact).tolist() == [row <= few for row in range(rows)]
    logits[:, 0] = 0
    logits[1, 2] = 0.7
    assert np.flatnonzero(bound.exceeded(logits, exact)).tolist() == [1]
    assert str(bound) == "0.2 + 0.1·|x|, in a few rows 3 times that"
    assert str(BOUNDS["fp32"]) == "0.0001 + 0.0005·|x|"


def test_an_exact_logit_that_is_no_number_is_never_passed():
    exact = EXACT.copy()
    exact[chosen_rows(EXACT.astype(np.float16), shard=0, rows=8)[2], 0] = np.nan
    with pytest.raises(LabellingError, match="nan"):
        check(EXACT, encoder=Exact(logits=exact))


def test_flips_are_rows_whose_prediction_differs():
    exact = np.tile(np.array([[0.5, 0.501, -1]], np.float32), (ROWS, 1))
    stored = exact.copy()
    stored[chosen_rows(stored.astype(np.float16), shard=0, rows=8)[:3], 0] += 1e-2
    assert check(stored, encoder=Exact("fp16", exact)).flips == 3


def test_every_row_is_told():
    told = []
    check(EXACT, tick=lambda *progress: told.append(progress))
    assert told == [("checking logits", ROWS, ROWS)] * 8


def label(demo, place, **changes):
    config = {"inputs": (demo.path("unlabelled.parquet"),), "shards": 2, "devices": ("cpu",), **changes}
    return engine.label(engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), **config))


def computed(place):
    records = store.open(place).label_set("teacher").records()
    return [records[shard].computed for shard in sorted(records)]


def test_a_run_notes_in_every_shard_how_far_it_is_off(demo, tmp_path):
    summary = label(demo, tmp_path / "store", choices=Choices(check_rows=3))
    checks = [how["check"] for how in computed(tmp_path / "store")]
    assert [sorted(found) for found in checks] == [["flips", "largest_difference", "rows"]] * 2
    assert summary.checked == sum(found["rows"] for found in checks) == 6
    assert summary.flips == sum(found["flips"] for found in checks)
    assert 0 < summary.largest_difference == max(found["largest_difference"] for found in checks) < 5e-3


def test_a_run_without_checks_notes_none(demo, tmp_path):
    summary = label(demo, tmp_path / "store", choices=Choices(check_rows=0), worker=(0, 2))
    assert (summary.checked, summary.flips, summary.largest_difference) == (0, 0, None)
    assert computed(tmp_path / "store") == [{}]


def test_a_run_whose_logits_are_wrong_ends_before_it_writes_them(demo, tmp_path, monkeypatch):
    from engine.compute.encoder import Encoder

    exact = Encoder.exact_logits
    monkeypatch.setattr(Encoder, "exact_logits", lambda encoder, tokens, row: exact(encoder, tokens, row) + 0.1)
    with pytest.raises(
        LabellingError, match=r"shard [01]: the logits of its row \d+ are .*Nothing of this shard was written"
    ):
        label(demo, tmp_path / "store")
    assert store.open(tmp_path / "store").label_set("teacher").records() == {}


@pytest.mark.parametrize(("dtype", "size"), [("fp32", 100), ("fp32", 7e4), ("fp16", 40), ("fp16", 60), ("bf16", 40)])
def test_what_rounding_a_large_offset_costs_passes(dtype, size):
    step = {"fp32": 2.0**-24, "fp16": 2.0**-11, "bf16": 2.0**-8}[dtype] * size
    exact = EXACT + np.float32(size)
    rounded = exact + np.random.default_rng(2).uniform(-step, step, exact.shape).astype(np.float32)
    stored = as_stored(rounded, CENTRED_FROM)
    assert stored.centred > ROWS / 2
    assert check(stored.logits, encoder=Exact(dtype, exact), rows=10).rows == 10


def test_an_offset_that_16_bits_cannot_carry_stops_the_run():
    exact = EXACT + np.float32(1_000)
    stored = as_stored(exact.astype(np.float16).astype(np.float32), CENTRED_FROM)
    with pytest.raises(LabellingError, match="more than fp16 explains.*Try --dtype fp32"):
        check(stored.logits, encoder=Exact("fp16", exact), rows=10)


def test_another_class_behind_a_large_offset_is_found():
    exact = EXACT + np.float32(70_000)
    wrong = exact.copy()
    wrong[chosen_rows(EXACT.astype(np.float16), shard=0, rows=8)[1], 0] += 2
    with pytest.raises(LabellingError, match="more than fp32 explains"):
        check(as_stored(wrong, CENTRED_FROM).logits, encoder=Exact("fp32", exact))
