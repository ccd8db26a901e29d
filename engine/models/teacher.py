"""Where a teacher is → the classifier that labels."""

from dataclasses import dataclass

from engine.errors import ModelError
from engine.models.classifier import Classifier, load_classifier, named, respelled


@dataclass(frozen=True, kw_only=True)
class TeacherSource:
    """Where a teacher is. Can be pickled.

    Attributes:
        source: hub id or path.
        revision: of the hub id.
        classes: names of its outputs, in their order, if the model has none of its own; else a spelling of its own.
    """

    source: str
    revision: str | None = None
    classes: tuple[str, ...] | None = None


def load_teacher(teacher: TeacherSource) -> Classifier:
    """The classifier that labels, in fp32 on the CPU.

    Raises:
        ModelError: it cannot be loaded, or its outputs have no names.
    """
    model = load_classifier(teacher.source, revision=teacher.revision)
    if model.has_class_names:
        return respelled(model, teacher.classes or ())
    if teacher.classes is None:
        raise ModelError(
            f"{teacher.source} calls its classes {', '.join(model.classes)}, which says nothing; "
            "name them in the order of its outputs with --classes"
        )
    return named(model, teacher.classes)
