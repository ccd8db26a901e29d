"""The result of `benchmarks.loader.run` → its table in the README."""

from typing import Any

from benchmarks.loader.contenders import OURS


def loader(result: dict[str, Any]) -> list[str]:
    """A row for each contender, the fastest first, and the conditions."""
    table = ["| how | read as | workers | shuffled | rows/s | store is faster by |", "|---|---|---:|---|---:|---:|"]
    figures, chosen = result["figures"], result["chosen"]
    for name in sorted(figures, key=lambda name: -figures[name]["rows_per_second"]):
        how, figure = chosen[name], figures[name]
        ratio = "" if name == OURS else f"{figure['times_as_fast']:.1f} ×"
        label = f"**{name}**" if name == OURS else " ".join([name, *_version(result, name)])
        table.append(
            f"| {label} | {how['form']} | {how['workers']} | {how['shuffle']} | {figure['rows_per_second']:,.0f} | "
            f"{ratio} |"
        )
    return [*table, "", _note(result)]


def _version(result: dict[str, Any], name: str) -> list[str]:
    return list(result["peer_versions"][name].values())[:1]


def _note(result: dict[str, Any]) -> str:
    conditions, tokens = result["conditions"], result["tokens"]
    absent = f" Left out: {', '.join(result['absent'])}." if result["absent"] else ""
    return (
        f"{result['rows']:,} rows of token ids, mean {tokens['mean']:.0f} and at most {tokens['max']}, with two fp16 "
        f"logits, in batches of {result['batch_rows']}, uncompressed and from the page cache; medians of "
        f"{len(result['seconds'][OURS])} rounds in turn, each in a fresh process after an epoch in which every row is "
        "checked, ratios within each. Of the ways to read each, with workers and without, the fastest of a trial is "
        f"shown. {conditions['cores']} cores of {conditions['processor']}, pyarrow "
        f"{conditions['versions']['pyarrow']}, numpy {conditions['versions']['numpy']}.{absent}"
    )
