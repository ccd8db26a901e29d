"""Small classifiers of many architectures, made at random: with which the way to compute each is tried and tabulated.

Weights are so large that a wrong token, position or mask shows in the logits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers.normalizers import BertNormalizer

from engine.models.files import quiet_transformers

VOCABULARY = 400
_WORDS = (
    "the food room staff pool pizza soup beach bed noise price view coffee was is felt tasted very quite too almost "
    "never good great fine warm fresh clean bad awful cold stale dirty rude slow and but because we they not return"
).split()
_BERT = {"[PAD]": "pad", "[UNK]": "unk", "[CLS]": "cls", "[SEP]": "sep", "[MASK]": "mask"}
_BART = {"<s>": "bos", "<pad>": "pad", "</s>": "eos", "<unk>": "unk", "<mask>": "mask"}
_T5 = {"<pad>": "pad", "</s>": "eos", "<unk>": "unk"}
_LLAMA = {"<unk>": "unk", "<s>": "bos", "</s>": "eos"}
_GPT = {"<|endoftext|>": "eos"}
_XLNET = {"<unk>": "unk", "<s>": "bos", "</s>": "eos", "<cls>": "cls", "<sep>": "sep", "<pad>": "pad", "<mask>": "mask"}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A classifier to make.

    Attributes:
        name: of its classes in transformers, without ``ForSequenceClassification``.
        variant: what is special about this one; "" if nothing is.
        tokenizer: a key of `TOKENIZERS`.
        config: of its configuration, beside the sizes that all have.
    """

    name: str
    variant: str = ""
    tokenizer: str = "bert"
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def title(self) -> str:
        """Its name in the table."""
        return f"{self.name}, {self.variant}" if self.variant else self.name

    def save(self, folder: Path) -> None:
        """Make it, and write it as transformers does."""
        module, tokenizer = self.make()
        module.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    def make(self) -> tuple[Any, Any]:
        """The module, in evaluation mode, and its tokenizer."""
        quiet_transformers()
        tokenizer = TOKENIZERS[self.tokenizer]()
        module = self._module(tokenizer)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0, 0.15)
                elif "bias" in name:
                    parameter.normal_(0, 0.1)
        return module, tokenizer

    def _module(self, tokenizer: Any) -> Any:
        names = {0: "bad", 1: "so-so", 2: "good"}
        sizes = {
            "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 64, "head_dim": 8, "id2label": names,
            "label2id": {name: number for number, name in names.items()},
            **{f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")},
        }  # fmt: skip
        config = {name: value for name, value in {**sizes, **self.config}.items() if value is not LEFT_OUT}
        torch.manual_seed(0)
        made = getattr(transformers, f"{self.name}Config")(**config)
        return getattr(transformers, f"{self.name}ForSequenceClassification")(made).eval()


LEFT_OUT = object()
"""The value of a size that a configuration is not given."""


def texts() -> list[str]:
    """Texts of many lengths, some with special tokens inside or at the end."""
    chance = torch.Generator().manual_seed(0)

    def text(words: int) -> str:
        return " ".join(_WORDS[int(word)] for word in torch.randint(len(_WORDS), (words,), generator=chance))

    plain = [text(words) for words in (1, 2, 2, 3, 5, 5, 8, 13, 13, 20, 30, 44, 60, 90, 90)]
    special = ["[SEP]", "[PAD]", "[MASK]", "</s>", "<s>", "<pad>", "<unk>", "<|endoftext|>"]
    inside = [f"{text(3)} {token} {text(2)}" for token in special]
    ends = [f"{text(4)} {token}" for token in special]
    return [*plain, *inside, *ends, f"{text(2)} </s> <pad>", "good good good", "x"]


def _sentences() -> Iterator[str]:
    chance = torch.Generator().manual_seed(1)
    for _ in range(200):
        yield " ".join(_WORDS[int(word)] for word in torch.randint(len(_WORDS), (12,), generator=chance))


@cache
def _word_piece() -> str:
    pieces = [*_BERT, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase), *".,-", *_WORDS[::2]]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens([*_BERT])
    return str(made.to_str())


@cache
def _bytes(specials: tuple[str, ...]) -> str:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[*specials],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(_sentences(), trainer)
    return str(made.to_str())


def _fast(serialized: str, specials: Mapping[str, str], template: str = "", **more: Any) -> Any:
    """A tokenizer of transformers with these special tokens around a text."""
    made = Tokenizer.from_str(serialized)
    around = [(token, made.token_to_id(token)) for token in specials if token in template]
    if template:
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=around)
    named = {f"{role}_token": token for token, role in specials.items()}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=512, **named, **more)


_WITH_TYPES = ["input_ids", "token_type_ids", "attention_mask"]
TOKENIZERS: Mapping[str, Callable[[], Any]] = {
    "bert": lambda: _fast(_word_piece(), _BERT, "[CLS] $A [SEP]", model_input_names=_WITH_TYPES),
    "bert without types": lambda: _fast(_word_piece(), _BERT, "[CLS] $A [SEP]"),
    "text of type 1": lambda: _fast(_word_piece(), _BERT, "[CLS]:0 $A:1 [SEP]:1", model_input_names=_WITH_TYPES),
    "funnel": lambda: _fast(_word_piece(), _BERT, "[CLS]:2 $A:0 [SEP]:0", model_input_names=_WITH_TYPES),
    "roberta": lambda: _fast(_bytes((*_BART,)), _BART, "<s> $A </s>"),
    "kobart": lambda: _fast(_bytes(("<s>", "</s>", "<unk>", "<pad>", "<mask>")), _BART, "<s> $A </s>"),
    "t5": lambda: _fast(_bytes((*_T5,)), _T5, "$A </s>"),
    "llama": lambda: _fast(_bytes((*_LLAMA,)), _LLAMA, "<s> $A"),
    "llama, ends with eos": lambda: _fast(_bytes((*_LLAMA,)), _LLAMA, "<s> $A </s>"),
    "llama, pads with eos": lambda: _fast(_bytes((*_LLAMA,)), {**_LLAMA}, "<s> $A </s>", pad_token="</s>"),
    "gpt": lambda: _fast(_bytes((*_GPT,)), _GPT),
    "gpt with types": lambda: _fast(_bytes((*_GPT,)), _GPT, model_input_names=_WITH_TYPES),
    "padded gpt": lambda: _fast(_bytes(("<|endoftext|>", "<pad>")), {**_GPT, "<pad>": "pad"}),
    "xlnet": lambda: _fast(_bytes((*_XLNET,)), _XLNET, "$A:0 <sep>:0 <cls>:2", model_input_names=_WITH_TYPES),
}  # fmt: skip
