"""Texts that had more tokens than the maximum length → what a user has to know of them."""

_MANY = 0.05
_UNLIMITED = 1 << 20  # tokens: a model that says it takes more has no limit of its own


def cut_note(cut: int, rows: int, *, length: int, longest: int, way: str = "give a larger --max-length") -> str | None:
    """A sentence and a remedy; None if they are few.

    Args:
        cut: how many texts the model saw a part of.
        rows: how many texts there were.
        length: tokens that the model saw at most.
        longest: tokens that it can take.
        way: how more of each text is seen, if it can take more.
    """
    if cut <= _MANY * rows:
        return None
    share = f"{cut:,} of {rows:,} texts ({cut / rows:.0%})"
    seen = f"{share} have more than {length:,} tokens: the model saw a part of them."
    if length >= longest:
        return f"{seen} {longest:,} are the most that it takes; another model may take more"
    most = "" if longest > _UNLIMITED else f", up to {longest:,}"
    return f"{seen} To have more of them seen, {way}{most}; it takes more time"
