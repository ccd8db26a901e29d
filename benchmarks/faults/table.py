"""Results of runs that were killed or disturbed → the words of the README."""

from typing import Any


def kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs at random moments of {result['trials']} runs (one to three in a chain; "
        f"{', '.join(map(str, result['workers'][:-1]))} and {result['workers'][-1]} workers): {result['good']} of "
        f"{result['trials']} stores came out byte for byte as that of an undisturbed run. What a kill interrupted was "
        f"done again, {result['shards_begun_again']} shards in all, and nothing else."
    )


def objects_kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs at random moments of {result['trials']} runs on a store on S3, and "
        f"{result['races']} races of {result['writers']} runs that began one store at the same time (with a made-up "
        f"teacher; the server is {result['server']} on the loopback): {result['good']} of {result['trials']} and "
        f"{result['good_races']} of {result['races']} stores came out byte for byte as that of an undisturbed run on a "
        "disk."
    )


def append_kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs of {result['trials']} runs that label, append, train, append and train again, "
        f"with a real model ({result['killed_in']['append']} while rows were appended): {result['good']} of "
        f"{result['trials']} ended with the {result['files']} files, the students among them, of an undisturbed run."
    )


def training_kills(one: dict[str, Any], two: dict[str, Any]) -> str:
    """Two sentences."""
    return (
        f"{one['kills']} SIGKILLs at random moments of {one['trials']} trainings ({one['killed_in']['checkpoint']} of "
        f"them while a checkpoint was written): {one['equal']} of {one['trials']} ended with the weights and losses of "
        f"one that was never stopped, to the last bit. Of two processes, {two['kills']} kills of one or both: "
        f"{two['equal']} of {two['trials']}, the largest difference of a weight {two['largest_difference']:.0e}; the "
        f"other process ended {two['longest_wait_for_a_lost_rank']:.0f} s after one was lost, at most."
    )


def troubles(result: dict[str, Any]) -> str:
    """One sentence."""
    longest = result["longest_seconds"]
    return (
        "A worker (with a made-up teacher) that is killed, falls silent or meets a CUDA error that sticks: "
        f"{result['good']} of {result['trials']} runs ended within 60 s with the complete store, or with an error that "
        f"names the shard where it failed each time (the longest after a kill {longest['kill']:.0f} s, after silence "
        f"{longest['hang']:.0f} s)."
    )
