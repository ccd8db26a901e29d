import numpy as np
import pytest

from engine.testing.architecture_list import ARCHITECTURES
from engine.testing.models_table import PAGE, page, try_out, written_ways

FAST = {
    "Bert",
    "Bert, text of token type 1",
    "BigBird, sparse attention",
    "DistilBert",
    "Roberta",
    "ModernBert",
    "XLNet",
    "MobileBert",
    "Xmod, no language chosen",
    "Bart, numbered as KoBART",
    "T5",
    "GPT2, no padding token",
    "GPT2, token types given",
    "Llama, no padding token, ends with eos",
    "Llama, padding token -1",
    "Llama, pads and ends with eos",
}
TITLES = [architecture.title for architecture in ARCHITECTURES]


def chosen():
    return [
        pytest.param(each, id=each.title, marks=() if each.title in FAST else pytest.mark.slow)
        for each in ARCHITECTURES
    ]  # fmt: skip


@pytest.mark.parametrize("architecture", chosen())
def test_logits_are_those_of_transformers_row_by_row_or_the_model_is_refused(architecture, tmp_path):
    trial = try_out(architecture, tmp_path)
    if trial.ours is not None:
        off = np.abs(trial.ours - trial.theirs) - (1e-4 + 5e-4 * np.abs(trial.theirs))
        assert off.max() <= 0
        assert np.ptp(trial.theirs, axis=0).max() > 0.01, "rows that hardly differ hide faults"
    assert written_ways()[architecture.title] == trial.way, "python -m engine.testing.models_table writes the page"


def test_the_page_has_every_architecture_once_and_nothing_else():
    assert len(set(TITLES)) == len(TITLES) >= 45
    assert set(TITLES) >= FAST
    assert PAGE.read_text(encoding="utf-8") == page(written_ways())
