"""Which rows each arm learns from, which steps there are, and what each of them needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.comparison.experiment.draws import gold_order, pool_rows
from engine.comparison.experiment.plan import CORPUS_STEP, SPEED_STEP, Labelling, Sizes, Training, of_arms, plan
from engine.comparison.results import ARMS
from engine.errors import InputError

SIZES = Sizes(labels=200, extra=100, pool=900, label_sizes=(50, 200, 300, 250), pool_sizes=(900, 300))


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 60), st.integers(0, 60), st.booleans())
def test_every_gold_row_has_one_place(seed, labels, extra, keep_split):
    order = gold_order(seed, labels=labels, extra=extra, keep_split=keep_split)
    assert sorted(order) == list(range(labels + extra))
    if keep_split:
        assert set(order[:labels]) == set(range(labels))


def test_seeds_draw_other_rows_unless_the_split_is_kept():
    first, second = (gold_order(seed, labels=50, extra=50, keep_split=False) for seed in (0, 1))
    assert 15 < len(set(first[:50]) & set(second[:50])) < 35
    np.testing.assert_array_equal(first, gold_order(0, labels=50, extra=50, keep_split=False))
    kept = [gold_order(seed, labels=50, extra=50, keep_split=True) for seed in (0, 1)]
    assert (kept[0] != kept[1]).any()


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 300), st.data())
def test_smaller_pools_lie_in_larger_ones(seed, pool, data):
    size = data.draw(st.integers(1, pool - 1))
    smaller, larger = (pool_rows(seed, pool=pool, size=one) for one in (size, size + 1))
    assert len(smaller) == size
    assert set(smaller) < set(larger) <= set(range(pool))
    assert (np.diff(larger) > 0).all()
    assert len(pool_rows(seed, pool=pool, size=pool)) == pool


def test_the_arms_of_a_seed():
    steps = [step for step in plan(SIZES, seeds=1) if isinstance(step, Training)]
    assert [(step.name, step.arm, step.labels, step.pool, step.label_set) for step in steps] == [
        ("teacher-0", "teacher", 200, 0, None),
        ("distilled-0", "distilled", 200, 900, "seed-0"),
        ("direct-0", "direct", 200, 0, None),
        ("direct+extra-0", "direct+extra", 300, 0, None),
        ("self-distilled-0", "self-distilled", 200, 900, "seed-0-self"),
        ("direct-50-0", "direct", 50, 0, None),
        ("direct-250-0", "direct", 250, 0, None),
        ("distilled-300-0", "distilled", 200, 300, "seed-0"),
    ]


def test_students_that_begin_as_their_teachers_need_them():
    steps = {step.name: step for step in plan(SIZES, seeds=2, as_teacher=True)}
    begun = {name: step.begins_as.name for name, step in steps.items() if getattr(step, "begins_as", None)}
    assert begun == {
        "distilled-0": "teacher-0",
        "distilled-300-0": "teacher-0",
        "self-distilled-0": "direct-0",
        "distilled-1": "teacher-1",
        "distilled-300-1": "teacher-1",
        "self-distilled-1": "direct-1",
    }
    assert steps["distilled-1"].needs == ("seed-1", "teacher-1")
    assert [*steps] == [step.name for step in plan(SIZES, seeds=2)]
    assert not any(getattr(step, "begins_as", None) for step in plan(SIZES, seeds=2))


def test_the_students_of_self_distilling_learn_from_the_direct_model():
    labelled = [step for step in plan(SIZES, seeds=2) if isinstance(step, Labelling)]
    assert [(step.name, step.teacher.name) for step in labelled] == [
        ("seed-0", "teacher-0"),
        ("seed-0-self", "direct-0"),
        ("seed-1", "teacher-1"),
        ("seed-1-self", "direct-1"),
    ]


def test_whatever_a_step_needs_comes_before_it_and_later_seeds_only_add():
    steps = plan(SIZES, seeds=3)
    names = [step.name for step in steps]
    assert len(set(names)) == len(names)
    assert names[0] == CORPUS_STEP
    assert names.count(SPEED_STEP) == 1
    for place, step in enumerate(steps):
        assert set(step.needs) <= set(names[:place])
    assert plan(SIZES, seeds=2) == steps[: len(plan(SIZES, seeds=2))]
    seeds = [step.seed for step in steps if step.seed is not None]
    assert seeds == sorted(seeds)


@pytest.mark.parametrize(
    ("arms", "as_teacher", "expected"),
    [
        (("direct",), False, {"direct-0", "direct-50-0", "direct-250-0"}),
        (("direct+extra",), True, {"direct+extra-0"}),
        (("teacher", "direct+extra"), False, {"teacher-0", "direct+extra-0"}),
        (
            ("distilled",),
            False,
            {CORPUS_STEP, "teacher-0", "seed-0", "distilled-0", "distilled-300-0", SPEED_STEP},
        ),
        (("self-distilled",), True, {CORPUS_STEP, "direct-0", "seed-0-self", "self-distilled-0"}),
    ],
)
def test_some_arms_take_what_they_need_and_no_more(arms, as_teacher, expected):
    every = plan(SIZES, seeds=2, as_teacher=as_teacher)
    chosen = of_arms(every, arms)
    assert {step.name for step in chosen if step.seed != 1} == expected
    assert chosen == [step for step in every if step in chosen]
    assert {step.name for step in chosen if step.seed == 1} == {
        name[:-1] + "1" if name[-1] == "0" else name.replace("seed-0", "seed-1")
        for name in expected - {CORPUS_STEP, SPEED_STEP}
    }


def test_all_arms_take_everything():
    every = plan(SIZES, seeds=2)
    assert of_arms(every, ARMS) == every


def test_an_arm_that_has_no_rows_is_refused():
    with pytest.raises(InputError, match=r"--arms has direct\+extra, and there are no extra labelled rows"):
        of_arms(plan(Sizes(labels=10, extra=0, pool=5), seeds=1), ("direct", "direct+extra"))


def test_without_extra_labels_there_is_no_arm_that_has_them():
    arms = {step.arm for step in plan(Sizes(labels=10, extra=0, pool=5), seeds=1) if isinstance(step, Training)}
    assert arms == {"teacher", "distilled", "direct", "self-distilled"}


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"label_sizes": (5, 301)}, "--label-sizes has 301, and there are 300 labelled rows beside the test"),
        ({"pool_sizes": (901,)}, "--pool-sizes has 901, and there are 900 unlabelled rows beside the test"),
    ],
)
def test_more_rows_than_there_are_cannot_be_asked_for(sizes, says):
    with pytest.raises(InputError, match=says):
        Sizes(labels=200, extra=100, pool=900, **sizes)
