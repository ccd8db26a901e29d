"""Every way in which the engine refuses, as exceptions. What a store refuses is in `store.errors`.

    EngineError               something the user can mend
    ├── InputError            an input file, column or row (names the file and, where it can, the row)
    │   ├── MissingColumnError    a file does not have a column that is needed
    │   ├── OutputPlaceError      a place where nothing can be written, as it is named (exit code 2)
    │   └── NewFilesError         files that a store does not have yet, and nothing says that they are to be appended
    ├── ModelError            a model that cannot be loaded, or does not fit its tokenizer or the store
    ├── LabellingError        shards that could not be labelled, or devices that cannot label them
    └── TrainingError         a training that cannot begin or go on

A message names the value, the place and the remedy.
"""


class EngineError(Exception):
    """Something the user can mend."""


class InputError(EngineError):
    """An input file, column or row."""


class MissingColumnError(InputError):
    """A file does not have a column that is needed."""


class OutputPlaceError(InputError):
    """A place where nothing can be written, as it is named: a web page, a folder for a file, a scheme nobody knows."""


class NewFilesError(InputError):
    """Files that a store does not have yet, and nothing says that they are to be appended.

    Attributes:
        store: its location.
        files: their paths.
    """

    def __init__(self, message: str, *, store: str, files: list[str]) -> None:
        super().__init__(message)
        self.store = store
        self.files = files


class ModelError(EngineError):
    """A model that cannot be loaded, or does not fit its tokenizer or the store."""


class LabellingError(EngineError):
    """Shards that could not be labelled, or devices that cannot label them."""


class TrainingError(EngineError):
    """A training that cannot begin or go on."""


def is_memory_error(error: BaseException) -> bool:
    """Whether an allocation failed, in main memory or on a GPU. Knows no torch: its errors are told by their words."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError | ImportError) and any(word in str(error) for word in words)
    )
