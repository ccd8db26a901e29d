"""Every way in which a store refuses, as exceptions.

    StoreError                  something about a store is not as it must be
    ├── StoreMissingError       there is no store at that place, or no such family in it
    ├── StoreExistsError        there is one already, with other contents
    ├── FormatError             its format version is not known to this program
    ├── DamageError             bytes differ from what their record says (exit code 4)
    ├── StoreFullError          the disk has no space left
    ├── InUseError              what is to be removed is needed by something else, or is being written
    ├── MismatchError           a fingerprint differs: model, encoding, classes or shard count
    ├── InvalidNameError        a name that does not match ``[a-z0-9][a-z0-9._-]{0,63}``
    └── QueryError              a query that is refused or that fails
        └── QueryTimeoutError   a query that ran past its time limit

A message names the value, the place and the remedy.
"""


class StoreError(Exception):
    """Something about a store is not as it must be."""


class StoreMissingError(StoreError):
    """There is no store at that place, or no such family in it."""


class StoreExistsError(StoreError):
    """There is a store already, with other contents."""


class FormatError(StoreError):
    """The format version of a store is not known to this program."""


class DamageError(StoreError):
    """Bytes differ from what their record says."""


class StoreFullError(StoreError):
    """The disk has no space left."""


class InUseError(StoreError):
    """What is to be removed is needed by something else, or is being written."""


class MismatchError(StoreError):
    """A fingerprint differs: a model, an encoding, the classes or the number of shards."""


class InvalidNameError(StoreError):
    """A name that does not match ``[a-z0-9][a-z0-9._-]{0,63}``."""


class QueryError(StoreError):
    """A query that is refused or that fails."""


class QueryTimeoutError(QueryError):
    """A query that ran past its time limit."""
