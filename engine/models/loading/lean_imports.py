"""Parts of libraries that classifying texts never uses, left out where a process is ours alone: seconds and 150 MB.

Whatever transformers is imported for, it imports `torch.distributed.tensor` and FSDP for models that are cut into
parts, accelerate and with it boto3, and SciPy for losses of object detection; it has a way without each. It imports
`torch._dynamo`, for marks on functions that are compiled. Meanwhile there is a stand-in for that: marks do nothing, and
whatever else is asked for comes from the real module.

pyarrow imports pandas as soon as it makes an array of a list, to see whether it is one of pandas'.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_OPTIONAL = ("is_accelerate_available", "is_scipy_available", "is_sklearn_available", "is_torch_distributed_available")
_MODELS = "transformers.modeling_utils"
_ASKED = ("transformers.utils", "transformers.utils.import_utils")
_COMPILER, _TRACING = "torch._dynamo", "torch._dynamo._trace_wrapped_higher_order_op"
_MARKS = ("allow_in_graph", "assume_constant_result", "disable")
_OBJECTS = 100_000
"""That are made from one look for garbage to the next; Python's own number is 700."""
_ours = False


def import_less() -> None:
    """Say that this process is ours alone: nobody else's code in it uses transformers.

    Garbage is looked for less often, too: modules are many objects, and none of them is garbage.
    """
    gc.set_threshold(_OBJECTS, 10, 10)
    global _ours
    _ours = True
    if {"pandas", "pyarrow"}.isdisjoint(sys.modules):
        sys.meta_path.insert(0, _Arrow())


@contextmanager
def unfilled() -> Iterator[None]:
    """Leave tensors of no device unfilled inside, if the process is ours: filling them imports the compiler."""
    if not _ours:
        yield
        return
    from torch.nn import init

    fill = init.normal_

    def normal(tensor: Any, *arguments: Any, **more: Any) -> Any:
        return tensor if tensor.is_meta else fill(tensor, *arguments, **more)

    init.normal_ = normal
    try:
        yield
    finally:
        init.normal_ = fill


@contextmanager
def lean() -> Iterator[None]:
    """Import transformers inside with less than it takes, if the process is ours and no ranks train together."""
    if not _ours or int(os.environ.get("WORLD_SIZE") or 1) > 1:
        yield
        return
    if _MODELS not in sys.modules:
        _settle_optional()
        _list_files_once()
    with _without_compiler():
        yield


def _settle_optional() -> None:
    """Let transformers take `_OPTIONAL` for absent."""
    for module in map(importlib.import_module, _ASKED):
        for name in _OPTIONAL:
            if hasattr(module, name):
                setattr(module, name, _no)


def _list_files_once() -> None:
    """Give `transformers.models` the list of its 1,600 files that transformers has made already, for itself."""
    asked = importlib.import_module(_ASKED[1])
    listed, models = asked.define_import_structure, Path(asked.__file__ or "").parent.parent / "models"
    known = {
        needs: {name.removeprefix("models."): found for name, found in files.items() if name.startswith("models.")}
        for needs, files in listed(models, prefix="models").items()
    }

    def again(path: Any, prefix: str | None = None) -> Any:
        return known if prefix is None and Path(path) == models / "__init__.py" else listed(path, prefix)

    asked.define_import_structure = again  # type: ignore[attr-defined]


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Have stand-ins for `_COMPILER` inside, unless it is there."""
    if _COMPILER in sys.modules:
        yield
        return
    import torch

    stand_ins: dict[str, ModuleType] = {_COMPILER: _Compiler(_COMPILER), _TRACING: _Tracing(_TRACING)}
    marks = torch.compiler.disable
    sys.modules.update(stand_ins)
    vars(torch)["_dynamo"] = stand_ins[_COMPILER]
    torch.compiler.disable = _unmarked  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = marks
        _leave(stand_ins)


def _leave(stand_ins: Mapping[str, ModuleType]) -> None:
    """Let whoever imports the real modules find them."""
    import torch

    for name, stand_in in stand_ins.items():
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
    if vars(torch).get("_dynamo") is stand_ins.get(_COMPILER):
        vars(torch).pop("_dynamo", None)


def _no(*_: Any, **__: Any) -> bool:
    return False


class _StandIn(ModuleType):
    """In the place of a module until something is asked for that it does not have."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _leave({one: module for one in (_COMPILER, _TRACING) if isinstance(module := sys.modules.get(one), _StandIn)})
        return getattr(importlib.import_module(self.__name__), name)


class _Compiler(_StandIn):
    """`torch._dynamo`, of which transformers uses marks."""

    def __getattr__(self, name: str) -> Any:
        return _unmarked if name in _MARKS else super().__getattr__(name)


class _Tracing(_StandIn):
    """The module in which masks that functions make find what traces them."""

    def __getattr__(self, name: str) -> Any:
        return _Later if name == "TransformGetItemToIndex" else super().__getattr__(name)


def _unmarked(function: Any = None, *_: Any, **__: Any) -> Any:
    """``function`` without a mark; without one, what marks nothing."""
    return _unmarked if function is None else function


class _Later:
    """`TransformGetItemToIndex`, imported when it is entered."""

    def __enter__(self) -> Any:
        self._real = importlib.import_module(_TRACING).TransformGetItemToIndex()
        return self._real.__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self._real.__exit__(*error)


class _Arrow:
    """Finds pyarrow, once, and lets it see that there is no pandas."""

    def find_spec(self, name: str, path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        """Leave finding ``name`` to the others, but for pyarrow."""
        if name != "pyarrow":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Alone(spec.loader)  # type: ignore[assignment]
        return spec


class _Alone:
    """Loads pyarrow as ``loader`` does; the first array is made while pandas cannot be imported."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the loader."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """As the loader; and make an array."""
        self._loader.exec_module(module)
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        sys.meta_path.insert(0, hidden := _Hidden())
        try:
            module.array([])
        finally:
            sys.meta_path.remove(hidden)


class _Hidden:
    """Hides pandas."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        """Leave finding ``name`` to the others, but for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError("no module named pandas", name=name)
        return None
