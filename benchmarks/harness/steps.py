"""Commands that a user would run, one after the other. One whose result is kept is not run again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class Steps:
    """Runs commands one after the other and keeps what they print."""

    def __init__(self, work: Path) -> None:
        self.results: dict[str, Any] = {}
        self._work = work
        work.mkdir(parents=True, exist_ok=True)

    def place(self, name: str) -> str:
        """Folder of the model that step ``name`` makes."""
        return str(self._work / name)

    def __call__(self, name: str, command: str, *arguments: str) -> Any:
        """What step ``name`` printed, a value of JSON: ``command`` with ``arguments``, and a place for its model."""
        kept = self._work / f"{name}.json"
        if not kept.exists():
            out = ["--out", self.place(name)] if command in ("finetune", "train") else []
            line = [sys.executable, "-m", "cli", command, *arguments, *out]
            sys.stderr.write(f"{' '.join(line[2:])}\n")
            done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
            kept.write_text(done.stdout)
        self.results[name] = json.loads(kept.read_text())
        return self.results[name]
