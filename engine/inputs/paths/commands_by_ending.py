"""Endings of files that are not read → what they are, and the command that makes of one a file that is read.

In a command, ``{name}`` is the path as Python writes it, ``{quoted}`` as a shell does, and ``{folder}`` a new folder.
"""

import shlex
from pathlib import Path

_ROWS = "[print(json.dumps(row, default=str)) for row in ({})]"
PROGRAMS = {  # what it does, the program, the file that it writes and what it needs
    ".yaml": (
        "write its rows as JSON Lines",
        "import json, yaml; d = yaml.safe_load(open({name}, encoding='utf-8')); "
        + _ROWS.format("d if isinstance(d, list) else next(v for v in d.values() if isinstance(v, list))"),
        " > rows.jsonl",
        "pyyaml",
    ),
    ".npz": (
        "write its arrays as columns of JSON Lines",
        "import json, numpy as np; f = np.load({name}); "
        + _ROWS.format("dict(zip(f.files, row)) for row in zip(*(f[name].tolist() for name in f.files))"),
        " > rows.jsonl",
        "numpy",
    ),
    ".npy": (
        "write its values as JSON Lines",
        "import json, numpy as np; " + _ROWS.format("{{'text': value}} for value in np.load({name}).tolist()"),
        " > rows.jsonl",
        "numpy",
    ),
    ".duckdb": (
        "write its first table as Parquet",
        (
            "import duckdb; c = duckdb.connect({name}, read_only=True); "
            "c.table(c.sql('SHOW TABLES').fetchall()[0][0]).write_parquet('rows.parquet')"
        ),
        "",
        "duckdb",
    ),
    ".tfrecord": (
        "write its examples as JSON Lines",
        "import json, tensorflow as tf; plain = lambda v: v.decode() if isinstance(v, bytes) else v; "
        "one = lambda f: next(map(plain, f.bytes_list.value or f.int64_list.value or f.float_list.value), None); "
        + _ROWS.format(
            "{{k: one(f) for k, f in tf.train.Example.FromString(r.numpy()).features.feature.items()}} "
            "for r in tf.data.TFRecordDataset({name})"
        ),
        " > rows.jsonl",
        "tensorflow",
    ),
    ".pt": (
        "torch.save wrote it; if it is a list of rows, write them as JSON Lines",
        "import json, torch; " + _ROWS.format("torch.load({name}, weights_only=True)"),
        " > rows.jsonl",
        "torch",
    ),
    ".msgpack": (
        "write its rows as JSON Lines",
        "import json, msgpack; " + _ROWS.format("msgpack.unpack(open({name}, 'rb'))"),
        " > rows.jsonl",
        "msgpack",
    ),
}
_SHELL = {
    ".docx": "write it as plain text: pandoc -t plain --wrap=none {quoted} -o rows.txt",
    ".accdb": 'write its first table as CSV: mdb-export {quoted} "$(mdb-tables -1 {quoted} | head -n 1)" > rows.csv '
    "(with mdbtools)",
    ".bson": "write its documents as JSON Lines: bsondump {quoted} > rows.jsonl",
    ".7z": "unpack it: 7z x {quoted} -o{folder}",
    ".dvc": "it only names the file that DVC keeps; fetch that with: dvc pull {quoted}",
    ".ipynb": "it is a notebook and no data; give the file of data that it reads",
}
_ALSO = {".yml": ".yaml", ".mdb": ".accdb", ".pth": ".pt", ".tfrecords": ".tfrecord", ".ddb": ".duckdb"}
_DUCKDB = slice(8, 12)


def command_by_ending(file: str, head: bytes) -> str | None:
    """What a file whose first bytes, ``head``, do not tell of which kind it is, seems to be by its name, and the way.

    None if its name says nothing.
    """
    ending = Path(file).suffix.lower()
    ending = ".duckdb" if head[_DUCKDB] == b"DUCK" else _ALSO.get(ending, ending)
    if ending in _SHELL:
        return _SHELL[ending].format(quoted=shlex.quote(file), folder=shlex.quote(folder_for(file)))
    if ending not in PROGRAMS:
        return None
    words, program, target, needs = PROGRAMS[ending]
    code = program.replace("'", '"').format(name='"' + file.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return f"{words}: python -c {shlex.quote(code)}{target} (with {needs})"


def folder_for(file: str) -> str:
    """The name of a folder for what an archive holds."""
    name = Path(file).name
    return name.split(".")[0] if "." in name.lstrip(".") else f"{name}_unpacked"
