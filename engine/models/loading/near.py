"""A path where no model is → the models that may be meant: each part of the path may be misspelt. Loads nothing."""

from collections.abc import Sequence
from pathlib import Path

from store.storage.near_paths import folders, followed, near_names

CONFIG = "config.json"
_ADAPTER = "adapter_config.json"
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.index.json")
_DEEPEST = 3
_SHOWN = 5
_MOST_FOLDERS = 2_000  # that are looked into: a path may be wrong near the root of a large disk


def looks_like_path(source: str) -> bool:
    """Whether ``source``, which does not exist, is rather a path than a hub id."""
    parent = Path(source).parent
    return source.startswith(("/", ".", "~")) or source.count("/") > 1 or (parent != Path() and parent.is_dir())


def near_models(source: str) -> str:
    """Folders of models that ``source``, which does not exist, may stand for, as the end of a message.

    Those of nearly its name, where each part may be misspelt; else those below the part of it that is there, or nearly,
    or that are called as its last part. Empty if there are none.
    """
    if not (found := _near(Path(source), is_path=looks_like_path(source))):
        return ""
    return f"; near it there {'are the models' if len(found) > 1 else 'is the model'} {some(found)}"


def some(models: Sequence[Path]) -> str:
    """The first of ``models``, and how many more there are."""
    more = f" and {len(models) - _SHOWN:,} more" if len(models) > _SHOWN else ""
    return ", ".join(map(str, models[:_SHOWN])) + more


def _near(path: Path, *, is_path: bool) -> list[Path]:
    places, left = followed(path)
    below = [one for place in places for one in _at_or_below(place)]
    if left == 0 and below:
        return below
    is_followed = left < len(path.parts) - bool(path.anchor)
    if path.anchor and not is_followed:
        return []  # everything is below the root
    if alike := _called(path.name, below):
        return alike
    elsewhere = [] if path.anchor else _called(path.name, models_below(Path()))
    beside = below if is_followed or (is_path and len(path.parts) == 1) else []
    return list(dict.fromkeys([*elsewhere, *beside]))


def _called(name: str, models: Sequence[Path]) -> list[Path]:
    """Those of ``models`` that are called nearly ``name``, the likeliest first."""
    return [
        one for near in near_names(name, [one.name for one in models], most=None) for one in models if one.name == near
    ]


def _at_or_below(folder: Path) -> list[Path]:
    return [folder] if _is_model(folder) else models_below(folder)


def models_below(folder: Path) -> list[Path]:
    """Folders of models in ``folder`` that are in no other one's: those that lie least deep first, then the newest."""
    level, found, looked = [folder], list[Path](), 0
    for _ in range(_DEEPEST):
        inside = [one for place in level for one in folders(place)]
        looked += len(inside)
        if looked > _MOST_FOLDERS:
            break
        models = [one for one in inside if _is_model(one)]
        found += sorted(models, key=lambda one: (-one.stat().st_mtime, one))
        level = [one for one in inside if one not in models]
    return found


def _is_model(folder: Path) -> bool:
    """Whether ``folder`` has a model, or an adapter, and weights."""
    is_named = any((folder / name).is_file() for name in (CONFIG, _ADAPTER))
    return is_named and any(any(folder.glob(pattern)) for pattern in _WEIGHTS)
