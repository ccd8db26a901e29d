"""A runner and a store whose texts are there → its workers on a cluster begin before they are needed. No torch.

They take seconds to begin, in which others do what comes before labelling. There are as many as will have a shard: each
one more would hold a node, or have an autoscaler add one, for nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from engine.ingest.known_inputs import GivenFiles
from engine.labelling.execute import shards_to_label
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.first_look import default_name
from engine.labelling.runners.base import Runner
from engine.labelling.runners.cluster.ray_actors import RayActors
from store import Store
from store.storage import Storage
from store.store import open_store


@contextmanager
def workers_begun(runner: Runner, storage: Storage, config: LabelConfig, given: GivenFiles | None) -> Iterator[None]:
    """Workers begin at once if nothing is to be read first; however the block ends, none is left that holds a node.

    Args:
        runner: of the run.
        storage: of the store, if there is one.
        config: the request.
        given: which of the inputs the store has; None if there is no store.
    """
    with workers_ended(runner):
        if given is not None and not given.new:
            begin_workers(runner, open_store(storage), config)
        yield


@contextmanager
def workers_ended(runner: Runner) -> Iterator[None]:
    """However the block ends, no worker without a job is left that holds a node of a cluster."""
    try:
        yield
    finally:
        if isinstance(runner, RayActors):
            runner.end()


def begin_workers(runner: Runner, store: Store, config: LabelConfig) -> None:
    """Begin the workers of a cluster, if ``store`` has all its texts, for the labels that ``config`` asks for.

    A corpus that is to be read first may take hours.
    """
    if not isinstance(runner, RayActors):
        return
    store = store.memoised()
    if not store.corpus.missing():
        labels = store.label_set(config.name or default_name(config.teacher))
        runner.begin(len(shards_to_label(labels, config.worker)))
