"""``--worker auto``: the part that a scheduler gives to this process."""

import click
import pytest

from cli.options.part import Part, scheduled_part

SLURM_ARRAY = {"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "2"}


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({}, None),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "0"}, (3, 8)),
        ({"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "1"}, (0, 8)),
        ({**SLURM_ARRAY, "SLURM_ARRAY_TASK_COUNT": "5"}, (2, 5)),
        ({**SLURM_ARRAY, "SLURM_ARRAY_TASK_COUNT": "5", "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, (11, 20)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, (3, 4)),
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "4"}, (1, 2)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, None),
        ({**SLURM_ARRAY, "SLURM_ARRAY_TASK_COUNT": "5", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, (2, 5)),
        ({"JOB_COMPLETION_INDEX": "5"}, (5, None)),
        ({"JOB_COMPLETION_INDEX": "5", "JOB_COMPLETIONS": "9"}, (5, 9)),
        ({"SKYPILOT_JOB_RANK": "0", "SKYPILOT_NUM_JOBS": "3"}, (0, 3)),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "7", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}, (7, 10)),
        ({"CLOUD_RUN_TASK_INDEX": "2", "CLOUD_RUN_TASK_COUNT": "4"}, (2, 4)),
        ({"BATCH_TASK_INDEX": "2", "BATCH_TASK_COUNT": "4"}, (2, 4)),
        ({"SLURM_ARRAY_TASK_ID": ""}, None),
    ],
)
def test_what_a_scheduler_says(environment, part):
    assert scheduled_part(environment) == part


def test_every_task_of_every_job_of_an_array_has_another_part():
    parts = [
        scheduled_part(
            {
                "SLURM_ARRAY_TASK_ID": str(job),
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_STEP": "3",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_PROCID": str(task),
                "SLURM_STEP_NUM_TASKS": "2",
            }
        )
        for job in (1, 4, 7, 10)
        for task in (0, 1)
    ]
    assert parts == [(number, 8) for number in range(8)]


@pytest.fixture
def convert(monkeypatch):
    for name in ("SLURM_ARRAY_TASK_ID", "SLURM_STEP_NUM_TASKS", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"):
        monkeypatch.delenv(name, raising=False)

    def converted(value, **environment):
        for name, said in environment.items():
            monkeypatch.setenv(name, said)
        return Part().convert(value, None, None)

    return converted


def test_a_part(convert):
    assert convert("2/8") == (2, 8)
    assert convert("auto/8", JOB_COMPLETION_INDEX="7") == (7, 8)
    assert convert("auto", JOB_COMPLETIONS="9") == (7, 9)
    assert convert("auto/9") == (7, 9)


@pytest.mark.parametrize(
    ("value", "environment", "said"),
    [
        ("8/8", {}, "8/8 is no part: 8 parts are counted from 0 to 7"),
        ("3", {}, "'3' is no part; for 4 runs side by side give 0/4"),
        ("auto/x", {}, "'auto/x' is no part"),
        ("auto", {}, "auto finds no scheduler: none of SLURM_ARRAY_TASK_ID, .* is set"),
        ("auto", {"JOB_COMPLETION_INDEX": "2"}, r"which part this is \(2\), but not of how many: auto/N does"),
        ("auto/4", {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "5"}, "auto/4 says 4 parts, and the scheduler has 5"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, "4/4 is no part"),
    ],
)
def test_what_is_refused(convert, value, environment, said):
    with pytest.raises(click.BadParameter, match=said):
        convert(value, **environment)
