"""The process that `benchmarks.store.ingest` measures: ``FILE STORE`` → JSON on stdout. Runs in older versions, too."""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

try:
    from engine.ingest.ingest import IngestConfig, ingest
except ModuleNotFoundError:  # before ingest was a room of its own
    from engine.ingest import IngestConfig, ingest  # type: ignore[attr-defined, no-redef, assignment]
from store.storage import LocalStorage

file, place = sys.argv[1:]
started = time.perf_counter()
ingest(LocalStorage(place), IngestConfig(files=(file,)))
seconds = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
files = sorted((Path(place) / "corpus").glob("*.arrow"))  # an older version has fewer columns of refused rows
answer = {
    "seconds": round(seconds, 2),
    "cpu_seconds": round(used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime, 2),
    "peak_megabytes": int(peak.split()[1]) // 1024,
    "files": {str(path): hashlib.file_digest(path.open("rb"), "sha256").hexdigest() for path in files},
}
sys.stdout.write(json.dumps(answer))
