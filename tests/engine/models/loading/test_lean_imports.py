"""A process that is ours alone imports less of its libraries; what is left out is there when it is asked for."""

import os
import subprocess
import sys

import pytest

LEFT_OUT = "{'torch._dynamo', 'torch.distributed.tensor', 'scipy', 'sklearn', 'pandas'}"
OURS = "from engine.models.loading.lean_imports import import_less\nimport_less()\n"
PARTS = f"""
import sys, pyarrow
import engine.models.loading.transformers_parts
found = {LEFT_OUT} & sys.modules.keys()
"""
LATER = """
assert not found, found
import torch
from transformers import BertConfig, BertForSequenceClassification
from transformers.masking_utils import TransformGetItemToIndex

config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
module = BertForSequenceClassification(config).eval()
logits = module(torch.tensor([[1, 2, 3]]), attention_mask=torch.tensor([[1, 1, 0]])).logits
assert logits.shape == (1, 2) and logits.isfinite().all()
assert "torch._dynamo" not in sys.modules
with TransformGetItemToIndex():
    assert sys.modules["torch._dynamo"] is torch._dynamo
assert torch.compiler.disable.__module__ == "torch.compiler"
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
assert torch._dynamo.config.recompile_limit
import pandas, torch.distributed.tensor
"""


def in_a_process(code, **environment):
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **environment})


def test_what_is_left_out_is_there_later():
    in_a_process(OURS + PARTS + LATER)


def test_the_list_of_files_is_the_one_that_transformers_makes():
    code = """
from pathlib import Path
from transformers.utils import import_utils
models = Path(import_utils.__file__).parent.parent / "models"
made = import_utils.spread_import_structure(import_utils.create_import_structure_from_path(str(models)))
assert import_utils.define_import_structure(str(models / "__init__.py")) == made
from transformers import DistilBertModel
"""
    in_a_process(OURS + PARTS + code)


def test_loading_a_model_imports_no_compiler(demo):
    code = f"""
from engine.models.classifier import load_classifier
load_classifier({demo.path("teacher")!r})
assert "torch._dynamo" not in sys.modules
"""
    in_a_process(OURS + PARTS + code)


@pytest.mark.parametrize(("begin", "ranks"), [("", "1"), (OURS, "2")])
def test_others_and_ranks_import_all(begin, ranks):
    code = begin + PARTS + "assert {'torch._dynamo', 'torch.distributed.tensor'} <= found, found"
    in_a_process(code, WORLD_SIZE=ranks)


def test_a_stand_in_gives_way_to_what_it_does_not_have():
    code = """
from engine.models.loading.lean_imports import lean
import sys
with lean():
    from torch._dynamo import config
    from torch._dynamo._trace_wrapped_higher_order_op import trace_wrapped
import torch
assert torch._dynamo.config is config and sys.modules["torch._dynamo"].__file__
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
"""
    in_a_process(OURS + code)
