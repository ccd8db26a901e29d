"""What the engine uses of transformers, imported in one place, so that it is imported with less than it takes."""

from engine.models.loading.lean_imports import lean

with lean():
    import transformers.generation.utils  # which most models import
    import transformers.modeling_layers  # noqa: F401 - likewise
    from transformers import (
        AttentionInterface,
        AutoConfig,
        AutoModelForMaskedLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )
    from transformers.activations import GELUActivation
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    )

__all__ = [
    "CONFIG_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
    "AttentionInterface",
    "AutoConfig",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoTokenizer",
    "GELUActivation",
]
