"""A place → everything that is wrong in the store there, even if reading a file ends the process.

A file with the right hash holds what its writer wrote, and a store that came from elsewhere may have any writer. So a
store on disk is read in a child process: a file that ends that process is damage like any other, and another child
checks the rest.
"""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from store.errors import DamageError, FormatError, StoreError, StoreMissingError
from store.format.findings import Finding, Kind
from store.format.names import REJECTS, SEGMENTS
from store.snapshot import Snapshot
from store.storage import Storage
from store.verify.verify import readable_header, verify

Tick = Callable[[str, int, int | None], None]
ERRORS = {kind.__name__: kind for kind in (StoreMissingError, FormatError, DamageError)}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of a check of a whole store.

    Attributes:
        findings: all of them, in the order of the store.
        files: data files that were read.
    """

    findings: list[Finding]
    files: int

    @property
    def damage(self) -> list[Finding]:
        """The findings that are damage."""
        return [finding for finding in self.findings if finding.is_damage]


def verify_store(storage: Storage, *, tick: Tick = lambda *_: None) -> Verification:
    """Check every hash, row number, fingerprint and alignment of the store at ``storage``.

    Args:
        storage: where; it is read in a process of its own, if another process can open it.
        tick: told how many data files were read.

    Raises:
        StoreMissingError, FormatError: there is no store that this program knows.
        DamageError: the header and its copy are both unreadable.
    """
    header = readable_header(storage)
    expected = len(Snapshot(storage, header).families()) * header.layout.shards
    read: set[str] = set()

    def before(name: str) -> bool:
        read.add(name)
        tick("verifying", len(read), max(len(read), expected))
        return True

    if storage.address is not None:
        findings = _verify_in_children(storage.address, before)
    else:
        findings = list(verify(storage, before=before))
    return Verification(findings=findings, files=len(read))


def _verify_in_children(root: str, before: Callable[[str], bool]) -> list[Finding]:
    """The findings of a process that finished. Each process that a signal ended shows one more file that does this."""
    fatal: list[Finding] = []
    while True:
        with tempfile.TemporaryFile() as stderr_file:
            findings, reading, code = _verify_in_child(root, [finding.file for finding in fatal], before, stderr_file)
            if findings is not None:
                return findings + fatal
            stderr_file.seek(0)
            said = stderr_file.read().decode(errors="replace").strip()[-500:]
        if reading is None or code >= 0:
            raise StoreError(f"{root}: the process that checks it ended with {_how(code)}: {said}")
        fatal.append(_fatal(reading, _how(code)))


def _verify_in_child(
    root: str, skip: list[str], before: Callable[[str], bool], stderr_file: IO[bytes]
) -> tuple[list[Finding] | None, str | None, int]:
    """Findings (None if the process did not finish), the file that it read last, and its exit status."""
    command = [sys.executable, "-P", "-m", "store.verify.child"]
    findings: list[Finding] = []
    reading, said = None, -1
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr_file) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps({"location": root, "skip": skip}).encode())
            child.stdin.close()
            for kind, value in _messages(child.stdout):
                if kind == "reading":
                    reading = value
                    before(value)
                elif kind == "finding":
                    findings.append(Finding(**{**value, "kind": Kind(value["kind"])}))
                elif kind == "error":
                    raise ERRORS.get(value[0], StoreError)(value[1])
                elif kind == "done":
                    said = value
        except BaseException:
            child.kill()
            raise
    return findings if said == len(findings) else None, reading, child.returncode


def _messages(lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """The messages of the child: one JSON array a line. Lines that a library prints are passed over."""
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            kind, value = json.loads(line)
            yield kind, value


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _fatal(file: str, ended: str) -> Finding:
    family, name = file.rsplit("/", 1)
    digits = name.split("-")[0]
    if family == SEGMENTS:  # of the data files only the refused rows are there
        return _fatal_finding(REJECTS, int(digits), file, ended)
    shard = int(digits) if digits.isdecimal() and family != REJECTS else None
    return _fatal_finding(family, shard, file, ended)


def _fatal_finding(family: str, shard: int | None, file: str, ended: str) -> Finding:
    problem = f"has the bytes of its record, and reading it ended the process: {ended}"
    return Finding(kind=Kind.DAMAGED, family=family, shard=shard, file=file, problem=problem)
