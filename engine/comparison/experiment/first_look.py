"""A comparison's request → what is wrong with it, as far as that shows without a model in memory. No torch."""

from engine.comparison.experiment.choices import CompareConfig
from engine.inputs.formats import expand
from engine.labelling.planning.first_look import look_at_inputs
from engine.models.loading.first_look import look_for_start


def look_first(config: CompareConfig) -> None:
    """Refuse models that are not there, and files that cannot be read.

    Raises:
        EngineError: as `engine.comparison.compare.compare`.
    """
    for model in (config.teacher, config.student_start):
        look_for_start(model)
    expand(config.unlabelled)  # whose columns may be called otherwise than those of the others
    for files in (config.labelled, config.extra, config.test):
        if files:
            look_at_inputs(expand(files), config.columns, config.options)
