"""An output as a user names it → the path on this machine, or what is behind a URL."""

import os
import re
from pathlib import Path

from engine.errors import OutputPlaceError
from engine.inputs.remote.sources import is_url, local_path
from engine.outputs.remote import Remote, remote_of

_SHORTENED_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")
_COPY = {"s3": "aws s3 cp --recursive {here} {there}", "gs": "gcloud storage rsync --recursive {here} {there}"}


def place_of_output(out: str | os.PathLike[str]) -> Path | Remote:
    """The place that ``out`` names; nothing is looked at there.

    Raises:
        OutputPlaceError: nothing can be written there, as it is named.
        InputError: a package is missing.
    """
    text = os.fspath(out)
    if isinstance(out, os.PathLike) and _SHORTENED_URL.match(text):
        raise OutputPlaceError(f"{text}: pathlib shortens the // of a URL; give the place as a text")
    if (path := local_path(text)) is not None:
        if not path.startswith("/"):
            raise OutputPlaceError(f"{text}: a file URL names an absolute path of this machine, as file:///data/FILE")
        return Path(path)
    return remote_of(text) if is_url(text) else Path(text)


def folder_on_this_machine(out: str) -> Path:
    """The folder that ``out`` names, in which a training or an experiment works: one on this machine.

    Raises:
        OutputPlaceError: it is a URL.
    """
    place = place_of_output(out)
    if isinstance(place, Path):
        if is_url(out):
            raise OutputPlaceError(f"{out}: name this folder by its path, as --out {place}")
        return place
    here = place.name.rpartition("/")[2]
    copy = _COPY.get(place.name.partition("://")[0])
    how = "with any program that can" if copy is None else f"with `{copy.format(here=here, there=place.name)}`"
    raise OutputPlaceError(
        f"{place}: the work goes on in this folder, which has to be on this machine; name one here, as --out {here}, "
        f"and when it is done copy it {how}"
    )
