"""The look at a model is taken by a worker that is there already; one that dies is replaced, and waiting has an end."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from store_factory import add_corpus, add_labels, make_store, write_header

from engine.errors import LabellingError
from engine.labelling import label as labelling
from engine.labelling.pilot.dry_run import forecast
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to
from engine.labelling.planning.early_workers import workers_begun
from engine.labelling.runners.cluster.ray_actors import RayActors
from engine.models.loading.first_look import FoundModel
from store.errors import MismatchError

NEEDS = {"num_cpus": 1, "num_gpus": 0}


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRay:
    """Of Ray what `Standby` and `RayActors.call` use.

    Args:
        answers: of the calls of tasks, one after the other; an error is raised.
        placed: how many actors find a node.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, *answers: Any, placed: int = 9) -> None:
        self.answers, self.placed = list(answers), placed
        self.made: list[Any] = []
        self.killed: list[Any] = []

    def remote(self, **options: Any) -> Any:
        assert options["max_restarts"] == 0
        return lambda _kind: SimpleNamespace(remote=self._actor)

    def _actor(self, _home: Any) -> Any:
        is_placed = len(self.made) < self.placed
        actor = SimpleNamespace(
            warm=SimpleNamespace(remote=lambda: ("warm", is_placed, object())),
            call=SimpleNamespace(remote=lambda _task, _device: ("call", is_placed, object())),
        )
        self.made.append(actor)
        return actor

    def wait(self, calls: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        done = [call for call in calls if call[1]][:1]
        return done, [call for call in calls if call not in done]

    def get(self, _call: Any) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return pickle.dumps(answer)

    def kill(self, actor: Any, *, no_restart: bool) -> None:
        assert no_restart
        self.killed.append(actor)

    def nodes(self) -> list[dict[str, Any]]:
        return []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def actors(monkeypatch: pytest.MonkeyPatch, ray: FakeRay) -> RayActors:
    monkeypatch.setattr("engine.labelling.runners.cluster.ray_actors.connect", lambda _on: ray)
    return RayActors(on="ray", device="cpu", workers=3)


def test_those_that_were_begun_look_at_the_model_and_are_those_that_label(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay("seen", "seen again")
    runner = actors(monkeypatch, ray)
    runner.begin(9)
    assert runner.call(str) == "seen"
    assert runner.call(str) == "seen again"
    assert len(ray.made) == 3
    standby = runner._standby()
    taken = [standby.take() for _ in range(4)]
    assert taken[:3] == ray.made[:3]
    assert len(ray.made) == 4  # one more than were begun
    standby.end()
    assert ray.killed == []


def test_those_that_nobody_took_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay("seen")
    runner = actors(monkeypatch, ray)
    runner.end()  # none was begun
    runner.begin(3)
    runner.call(str)
    runner._standby().take()
    runner.end()
    assert len(ray.made) == 3
    assert ray.killed == ray.made[1:]


def test_there_are_no_more_than_have_a_shard_and_one_alone_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoscaler would add a node for each."""
    ray = FakeRay("seen")
    runner = actors(monkeypatch, ray)
    runner.begin(0)
    assert ray.made == []
    runner.call(str)
    assert len(ray.made) == 1
    runner.begin(2)
    runner.begin(2)
    assert len(ray.made) == 2


def test_one_that_dies_is_replaced_and_another_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(RayError("the actor is dead"), RayError("the actor is dead"), "seen")
    assert actors(monkeypatch, ray).call(str) == "seen"
    assert ray.killed == ray.made[:2]
    assert len(ray.made) == 3


@pytest.mark.parametrize(("text", "tries"), [("the actor is dead", 4), ("ModuleNotFoundError: No module 'engine'", 1)])
def test_not_for_ever(monkeypatch: pytest.MonkeyPatch, text: str, tries: int) -> None:
    ray = FakeRay(*[RayError(text)] * 9)
    with pytest.raises(LabellingError, match=f"a node could not look at the model: .*{text}"):
        actors(monkeypatch, ray).call(str)
    assert len(ray.killed) == tries


def test_an_error_of_ours_comes_as_it_is_and_another_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MismatchError, match="a node has torch 1.0"):
        actors(monkeypatch, FakeRay(RayTaskError(MismatchError("a node has torch 1.0")))).call(str)
    with pytest.raises(LabellingError, match=r"a node could not look at the model: .*no such key"):
        actors(monkeypatch, FakeRay(RayTaskError(KeyError("no such key")))).call(str)


def test_a_cluster_that_is_full_is_said_and_its_actors_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(placed=0)
    with pytest.raises(LabellingError, match="no node has looked at the model within 1500 s: each worker needs a core"):
        actors(monkeypatch, ray).call(str)
    assert ray.killed == ray.made
    ray = FakeRay("seen", placed=1)  # one is enough for the look
    assert actors(monkeypatch, ray).call(str) == "seen"


def test_workers_begin_at_once_where_labels_alone_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus that is to be read first may take hours, in which they would hold their nodes."""
    ray = FakeRay()

    def begun(made: Any, **more: Any) -> int:
        config, before = LabelConfig(store=made.storage, teacher="teacher", **more), len(ray.made)
        with workers_begun(actors(monkeypatch, ray), made.storage, config, given_to(config, made.storage)):
            count = len(ray.made) - before
        assert ray.killed == ray.made
        return count

    whole, bare = make_store(labels=["bert"]), write_header(rows=20)
    shards = whole.layout.shards
    assert begun(whole) == shards == 3
    assert begun(whole, worker=(0, 2)) == 2
    assert begun(whole, name="bert") == 0
    assert begun(bare) == 0  # its texts are not there
    add_corpus(bare)
    assert begun(bare) == bare.layout.shards
    add_labels(bare, "teacher")
    assert begun(bare) == 0
    config = LabelConfig(store="none", teacher="teacher")
    with workers_begun(actors(monkeypatch, ray), bare.storage, config, None):
        assert ray.killed == ray.made


def test_a_run_on_a_cluster_starts_its_workers_first_and_an_error_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made, ray = make_store(labels=["bert"]), FakeRay()
    runner, held = actors(monkeypatch, ray), list[int]()

    def stop(*_: Any, **__: Any) -> Any:
        held.append(len(ray.made) - len(ray.killed))
        raise LabellingError("stop here")

    found = FoundModel(folder=Path("teacher"), classes=None)
    monkeypatch.setattr(labelling, "look_at_request", lambda *_: found)
    monkeypatch.setattr("engine.labelling.planning.plan.plan_run", stop)
    with pytest.raises(LabellingError, match="^stop here$"):
        labelling.label(LabelConfig(store=made.storage, teacher="teacher"), runner=runner)
    assert held == [3]
    assert ray.killed == ray.made
    monkeypatch.setattr("engine.labelling.pilot.dry_run._of_store", lambda *_: runner.call(str))
    with pytest.raises(IndexError):  # of the fake, which has no answer
        forecast(LabelConfig(store=made.storage, teacher="teacher"), runner=runner)
    assert len(ray.made) == 4
    assert ray.killed == ray.made
