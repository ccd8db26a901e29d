"""No column is called a text: the one that seems to hold texts is named."""

import pytest

from engine.inputs.shapes.likely_text import likely_text

LONG, SHORT = ["a text of several words", "and one more of them"], ["three words here", "and so on"]


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"source": LONG, "label": ["a", "b"]}, "source"),
        ({"note": SHORT, "said": [f"{text} and on and on" for text in LONG]}, "said"),
        ({"note": LONG, "review": SHORT}, "review"),
        ({"review_label": LONG, "n": ["1", "2"]}, "review_label"),
        ({"one": LONG, "two": LONG}, None),
        ({"Input.text": LONG, "Output.text": LONG}, None),
        ({"document": [], "n": []}, "document"),
        ({"document": [], "text_id": []}, "document"),
        ({"a": ["x", None], "b": [None, "y"]}, None),
        ({"": LONG}, None),
        ({"instruction": ["Say what this text is about"] * 4, "input": [*LONG, *SHORT]}, "input"),
        ({"reply_text": ["Thank you for this review of yours"] * 4, "review": [*LONG, *SHORT]}, "review"),
        ({"instruction": ["Say what this text is about"] * 4}, "instruction"),
        ({}, None),
    ],
)
def test_the_values_of_a_column_say_whether_it_holds_texts(columns: dict[str, list[str]], likely: str | None) -> None:
    assert likely_text(columns) == likely
