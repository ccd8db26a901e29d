"""Under which conditions a figure was measured: what every file in ``results/`` carries."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.compute.cpu.processor import processor_name

RESULTS = Path(__file__).parent.parent / "results"


def conditions() -> dict[str, Any]:
    """Commit, processor, cores, threads and versions."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=RESULTS.parent)
    dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, cwd=RESULTS.parent)
    return {
        "commit": commit.stdout.strip() + ("+changes" if dirty.stdout.strip() else ""),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "pyarrow", "numpy")},
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/<name>.json`` with the conditions beside the figures."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"conditions": conditions(), **result}, indent=1) + "\n")
    return path


def in_words(result: dict[str, Any]) -> str:
    """The conditions of a result, in one sentence."""
    conditions = result["conditions"]
    versions = conditions["versions"]
    return (
        f"{conditions['device'].upper()}, {conditions['threads']} threads of {conditions['processor']}, "
        f"torch {versions['torch']}, transformers {versions['transformers']}."
    )
