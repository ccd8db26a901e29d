"""The files of one selection, and taking them away. They lie beside those of others: a card, its copy, and bits."""

from store.errors import InUseError, StoreMissingError
from store.format.json_file import copy_name
from store.selections.card import SELECTIONS, card_name, selection_of_bits
from store.storage import Storage


def selection_files(storage: Storage, name: str) -> list[str]:
    """Files of a selection that are there, in the order in which they go.

    The copy of the card goes first, without which the selection is still whole; then the card, without which there is
    no selection; then the bits, which are litter without it.
    """
    there = storage.list(SELECTIONS)
    card = card_name(name)
    bits = [f"{SELECTIONS}/{file}" for file in there if selection_of_bits(file) == name]
    return [file for file in (copy_name(card), card, *bits) if file.removeprefix(f"{SELECTIONS}/") in there]


def remove_selection(storage: Storage, name: str) -> None:
    """Take a selection away. It must be known that nothing needs it.

    Raises:
        InUseError: a selection is being written, or a file may not be removed.
    """
    with storage.alone(SELECTIONS) as is_alone:
        files = selection_files(storage, name)
        if files and not is_alone:
            raise InUseError(f"{storage.location}/{SELECTIONS} is being written; try again")
        card = card_name(name)
        for file in dict.fromkeys([copy_name(card), card, *files]):  # bits last: a card without them is damage
            if not storage.remove_dead(file) and _is_there(storage, file):
                raise InUseError(
                    f"{storage.location}/{file} cannot be removed: it is being written, or write-protected"
                )


def _is_there(storage: Storage, name: str) -> bool:
    try:
        storage.read(name)
    except StoreMissingError:
        return False
    return True
