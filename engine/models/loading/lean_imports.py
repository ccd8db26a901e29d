"""Parts of transformers that classifying texts never uses, left out where a process is ours alone: two seconds, 100 MB.

transformers imports `torch.distributed.tensor` and FSDP for models that are cut into parts, `torch._dynamo` for masks
that are made by functions, and SciPy for losses of object detection, whatever it is imported for. It has a way without
each but `torch._dynamo`, which is imported as soon as it is used.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_OPTIONAL = ("is_torch_distributed_available", "is_scipy_available", "is_sklearn_available")
_MASKS, _TRACING = "transformers.masking_utils", "torch._dynamo._trace_wrapped_higher_order_op"
_MODELS = "transformers.modeling_utils"


def import_less() -> None:
    """Let this process import no more of transformers than it needs; nothing changes where ranks train together."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and _MODELS not in sys.modules:
        sys.meta_path.insert(0, _Watch())


class _Watch:
    """Sees what is imported: settles what transformers takes for available, and what it makes masks with."""

    def __init__(self) -> None:
        self._is_settled = False

    def find_spec(self, name: str, path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        """Leave finding ``name`` to the others, but for `_MASKS`."""
        if not name.startswith("transformers."):
            return None
        utils = sys.modules.get("transformers.utils")
        if not self._is_settled and not name.startswith("transformers.utils") and utils is not None:
            self._is_settled = True
            for function in _OPTIONAL:
                for module in (utils, importlib.import_module("transformers.utils.import_utils")):
                    if hasattr(module, function):
                        setattr(module, function, _no)
        if name != _MASKS or _TRACING in sys.modules:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Masks(spec.loader)
        return spec


def _no() -> bool:
    return False


class _Masks:
    """Loads `_MASKS` with a `_Later` in the place of what it imports of `torch._dynamo`."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        stand_in = ModuleType(_TRACING)
        stand_in.TransformGetItemToIndex = _Later  # type: ignore[attr-defined]
        sys.modules[_TRACING] = stand_in
        try:
            self._loader.exec_module(module)
        finally:
            del sys.modules[_TRACING]


class _Later:
    """`TransformGetItemToIndex`, which is imported when it is entered."""

    def __enter__(self) -> Any:
        self._real = importlib.import_module(_TRACING).TransformGetItemToIndex()
        return self._real.__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self._real.__exit__(*error)
