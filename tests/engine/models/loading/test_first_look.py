"""What the files of a model say of it without torch is what loading it says."""

from pathlib import Path

import pytest
import tiny_models
import transformers
from safetensors.numpy import load_file, save_file

from engine.errors import ModelError
from engine.models.classifier import load_classifier
from engine.models.initialize import load_start
from engine.models.loading.chosen_layers import count_of_layers
from engine.models.loading.first_look import find_model, look_for_model, look_for_start

NO_HEAD = "has no trained classification head"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return tiny_models.save(tmp_path / "model")


def without_head(folder: str) -> None:
    file = Path(folder) / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(file).items() if "classifier" not in name}, file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"problem_type": "regression"}, "is a regression"),
        ({"problem_type": "multi_label_classification"}, "gives several labels a text"),
        ({"architectures": ["BertForTokenClassification"]}, "one class for each token"),
        ({"id2label": {"0": "score"}}, "has 1 output"),
    ],
)
def test_outputs_that_are_no_classes_are_refused_as_by_who_loads_them(folder: str, changes: dict, said: str) -> None:
    tiny_models.change_config(folder, **changes)
    for look in (look_for_model, load_classifier):
        with pytest.raises(ModelError, match=said):
            look(folder)


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "BertModel", "BertForPreTraining"])
def test_a_model_without_a_head_is_refused(folder: str, architecture: str) -> None:
    tiny_models.change_config(folder, architectures=[architecture])
    assert look_for_model(folder) == ["negative", "positive"]  # its weights have one
    without_head(folder)
    with pytest.raises(ModelError, match=f"{NO_HEAD}: it is a {architecture} "):
        look_for_model(folder)
    with pytest.raises(ModelError, match=NO_HEAD):
        load_classifier(folder)


@pytest.mark.parametrize("architectures", [None, [], "BertModel", ["BertForSequenceClassification"], [7]])
def test_what_its_configuration_does_not_say_is_left_to_who_loads_it(folder: str, architectures: object) -> None:
    without_head(folder)
    tiny_models.change_config(folder, architectures=architectures)
    assert look_for_model(folder) == ["negative", "positive"]


@pytest.mark.parametrize("config", ["", "[]", "{", '{"id2label": 3, "num_labels": "two"}'])
def test_a_damaged_configuration_is_left_to_who_loads_it(folder: str, config: str) -> None:
    (Path(folder) / "config.json").write_text(config)
    assert find_model(folder).classes is None


SHAPES = {
    "bert": transformers.BertConfig(num_hidden_layers=3),
    "distilbert": transformers.DistilBertConfig(n_layers=3),
    "gpt2": transformers.GPT2Config(n_layer=3),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_count_of_layers_is_that_of_the_configuration(kind: str) -> None:
    assert count_of_layers(SHAPES[kind].to_dict()) == SHAPES[kind].num_hidden_layers == 3


@pytest.mark.parametrize(
    "config", [{}, {"num_hidden_layers": None}, {"num_hidden_layers": "3"}, {"n_layer": 2, "n_layers": 3}]
)
def test_a_count_that_is_not_plain_is_not_taken(config: dict) -> None:
    assert count_of_layers(config) is None


@pytest.mark.parametrize("layers", ["2", "0,0"])
def test_layers_that_there_are_not_are_refused_as_by_who_loads_them(folder: str, layers: str) -> None:
    said = []
    for look in (look_for_start, lambda source: load_start(source, classes=["a", "b"])):
        with pytest.raises(ModelError) as refused:
            look(f"{folder}#layers={layers}")
        said.append(str(refused.value))
    assert said[0] == said[1] == f"{folder} has the layers 0 to 1, and #layers={layers} asks for others or one twice"
    assert look_for_start(f"{folder}#layers=1,0") == Path(folder)


def test_an_adapter_is_no_start(folder: str) -> None:
    (Path(folder) / "model.safetensors").rename(Path(folder) / "adapter_model.safetensors")
    (Path(folder) / "adapter_config.json").write_text("{}")
    said = []
    for look in (look_for_start, lambda source: load_start(source, classes=["a", "b"])):
        with pytest.raises(
            ModelError, match="is a PEFT adapter, and a training begins with a whole model; merge it"
        ) as one:
            look(folder)
        said.append(str(one.value))
    assert said[0] == said[1]


def test_a_folder_may_be_called_as_layers_are(tmp_path: Path) -> None:
    folder = tiny_models.save(tmp_path / "model#layers=last")
    assert look_for_start(folder) == Path(folder)
