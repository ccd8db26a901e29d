"""What is said of texts that had more tokens than the maximum length."""

import pytest

from engine.tokens.cut_texts import cut_note


@pytest.mark.parametrize(("cut", "rows"), [(0, 0), (0, 100), (5, 100)])
def test_few_are_not_worth_a_word(cut: int, rows: int) -> None:
    assert cut_note(cut, rows, length=256, longest=512) is None


@pytest.mark.parametrize(
    ("length", "longest", "way"),
    [
        (256, 512, "To have more of them seen, give a larger --max-length, up to 512; it takes more time"),
        (256, int(1e30), "To have more of them seen, give a larger --max-length; it takes more time"),
        (512, 512, "512 are the most that it takes; another model may take more"),
    ],
)
def test_many_are_counted_and_the_remedy_is_one_that_the_model_allows(length: int, longest: int, way: str) -> None:
    said = f"1,060 of 10,000 texts (11%) have more than {length} tokens: the model saw a part of them. {way}"
    assert cut_note(1060, 10_000, length=length, longest=longest) == said
