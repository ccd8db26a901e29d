"""Files that a folder or a glob gave → those that are data, without what people and programs leave beside it."""

import logging
import re
from pathlib import Path

BESIDE = re.compile(
    r"(\S+[._-])?(README|LICEN[SC]E|NOTICE|CHANGELOG|CITATION)(\..*)?|.*\.(md|rst|ya?ml|toml|cfg|ini|py|sh|ipynb|lock)|"
    r"dataset_infos?\.json|id2label\.json|prelude\.json(\.gz)?|\S+\.metadata\.json(\.gz)?|label2id\.json|"
    r"labels?_map\.json|label_mapping\.json|Thumbs\.db|urls_\w+\.txt|\w*bow\.feat",  # the last two: of IMDb's reviews
    re.IGNORECASE,
)
_CACHE = re.compile(r"cache-[0-9a-f]+(_\d+_of_\d+)?\.arrow")
"""What Hugging Face's ``map``, ``filter`` and ``sort`` write beside the files of a data set."""
_CLASS_NAMES = re.compile(r"(class(es)?|labels?|class_names|label_names|categories|mapping|names)\.txt", re.IGNORECASE)
_FEW_CLASSES, _LONGEST_NAME = 1000, 60
_SHOWN = 5
_log = logging.getLogger(__name__)


def without_beside(files: list[str]) -> list[str]:
    """``files`` but for what stands beside data: a README, a script, the names of labels.

    Which are passed over is said. If all are such, all are kept.
    """
    beside = [file for file in files if BESIDE.fullmatch(Path(file).name)]
    if not beside or len(beside) == len(files):
        return files
    _log.info("%s: passed over, as files beside the data; name one by itself to read it", listed(beside))
    return [file for file in files if file not in beside]


def without_caches(files: list[str]) -> list[str]:
    """``files`` but for the same rows once more, as Hugging Face's data sets keep what was made of them.

    Which are passed over is said. If all are such, all are kept.
    """
    of_data = {str(Path(file).parent) for file in files if file.endswith(".arrow") and not _is_cache(file)}
    caches = [file for file in files if _is_cache(file) and str(Path(file).parent) in of_data]
    if caches:
        _log.info("%s: passed over, as what map or filter made of the data set beside it", listed(caches))
    return [file for file in files if file not in caches]


def without_class_names(files: list[str]) -> list[str]:
    """``files`` but for lists of classes, a name a line and each once, as ``classes.txt`` beside the data.

    Which are passed over is said. If all are such, all are kept.
    """
    lists = [file for file in files if _CLASS_NAMES.fullmatch(Path(file).name) and _are_names(file)]
    if not lists or len(lists) == len(files):
        return files
    _log.info("%s: passed over, as the names of classes; name it by itself to read it", listed(lists))
    return [file for file in files if file not in lists]


def _are_names(file: str) -> bool:
    """Whether the lines of a small file are all short and no two are the same."""
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as source:
            lines = [line.strip() for line in source.read(_FEW_CLASSES * _LONGEST_NAME).splitlines() if line.strip()]
    except OSError:
        return False
    short = all(len(line) <= _LONGEST_NAME for line in lines)
    return 1 < len(lines) < _FEW_CLASSES and short and len({*lines}) == len(lines)


def _is_cache(file: str) -> bool:
    return _CACHE.fullmatch(Path(file).name) is not None


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
