"""The public methods of a store take the fields of the dataclasses behind them, so that an editor shows them."""

import inspect
from dataclasses import fields
from typing import get_type_hints

import pytest

from store import Store
from store.selections.select import SelectionRequest
from store.stream import StreamConfig


@pytest.mark.parametrize(("method", "config"), [(Store.select, SelectionRequest), (Store.stream, StreamConfig)])
def test_keywords_are_the_fields_with_their_defaults_and_types(method, config) -> None:
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        field.name: field.default for field in fields(config)
    }
    types = get_type_hints(config)
    for name, parameter in parameters.items():
        said = parameter.annotation
        assert eval(said) == types[name] if isinstance(said, str) else said == types[name]


def test_a_keyword_that_there_is_not_is_refused_by_its_name(tmp_path) -> None:
    from store_factory import make_store

    with pytest.raises(TypeError, match="colums"):
        make_store().stream(labels="bert", colums=("text",))
