"""A storage → a file system of pyarrow, which can only be read from: for Arrow data sets of the files of a store."""

from collections.abc import Sequence
from typing import NoReturn

import pyarrow as pa
import pyarrow.fs as pafs

from store.errors import StoreMissingError
from store.storage.base import Storage


def arrow_files(storage: Storage) -> pafs.FileSystem:
    """The files of ``storage`` under their names. A file is opened when Arrow reads from it, not before."""
    return pafs.PyFileSystem(_StorageFiles(storage))


class _StorageFiles(pafs.FileSystemHandler):  # type: ignore[misc]
    """What pyarrow asks of a file system, answered by `Storage.open`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get_type_name(self) -> str:
        return "store"

    def normalize_path(self, path: str) -> str:
        return path

    def open_input_file(self, path: str) -> pa.NativeFile:
        return self._storage.open(path)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self._storage.open(path)

    def get_file_info(self, paths: Sequence[str]) -> list[pafs.FileInfo]:
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> pafs.FileInfo:
        try:
            with self._storage.open(path) as file:
                return pafs.FileInfo(path, pafs.FileType.File, size=file.size())
        except StoreMissingError:
            return pafs.FileInfo(path, pafs.FileType.NotFound)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NotImplementedError("a store's files are written by its storage")

    get_file_info_selector = _refuse
    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse
