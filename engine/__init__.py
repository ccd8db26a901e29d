"""Turn plenty of unlabelled text and few labels into a small, fast, accurate classifier.

The work that the command line does, as functions that take the same choices as dataclasses:

    engine.finetune(engine.FinetuneConfig(…))   gold labels → a teacher
    engine.label(engine.LabelConfig(…))         texts + a teacher → a store of soft labels
    engine.label_from(engine.AnswersConfig(…))  anybody's answers by id → a label set of a store
    engine.train(engine.DistillConfig(…))       a store → a student
    engine.add_gold(engine.GoldRoundConfig(…))  labels by id → a round of gold in a store
    engine.evaluate(engine.EvalConfig(…))       a model + gold labels → how good it is
    engine.calibrate(engine.CalibrateConfig(…))  a store + its gold → the temperature of a label set
    engine.repair(storage, found, …)            a damaged store → the same store, whole
    engine.make_report(engine.ReportConfig(…))  a store + trainings → one HTML page

Names load what they need when they are first used: ``import engine`` loads no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.answers.columns import AnswerColumns
    from engine.answers.label_from import AnswersConfig, label_from
    from engine.answers.summary import AnswersSummary
    from engine.evaluation.calibrate import CalibrateConfig, calibrate
    from engine.evaluation.evaluate import EvalConfig, Evaluation, evaluate
    from engine.ingest.gold_rounds import GoldRound, GoldRoundConfig, add_gold
    from engine.inputs.columns import ColumnNames, LabelColumns
    from engine.inputs.labels.labelled import GoldConfig
    from engine.inputs.options import ReadOptions
    from engine.labelling.card import Choices
    from engine.labelling.label import LabelConfig, label
    from engine.labelling.repair import Repair, repair
    from engine.labelling.summary import LabelSummary
    from engine.report.report import Report, ReportConfig, make_report
    from engine.training.distill import DistillConfig, train
    from engine.training.finetune import FinetuneConfig, finetune
    from engine.training.loop import LoopConfig
    from engine.training.loss import SoftLoss
    from engine.training.output.saved_model import Trained
    from engine.training.output.saving import SavingConfig
    from engine.training.validation import ValidationConfig
    from store.gold.calibration import Calibration

_HOME = {
    "AnswerColumns": "engine.answers.columns",
    "AnswersConfig": "engine.answers.label_from",
    "AnswersSummary": "engine.answers.summary",
    "CalibrateConfig": "engine.evaluation.calibrate",
    "Calibration": "store.gold.calibration",
    "Choices": "engine.labelling.card",
    "ColumnNames": "engine.inputs.columns",
    "DistillConfig": "engine.training.distill",
    "EvalConfig": "engine.evaluation.evaluate",
    "Evaluation": "engine.evaluation.evaluate",
    "FinetuneConfig": "engine.training.finetune",
    "GoldConfig": "engine.inputs.labels.labelled",
    "GoldRound": "engine.ingest.gold_rounds",
    "GoldRoundConfig": "engine.ingest.gold_rounds",
    "LabelColumns": "engine.inputs.columns",
    "LabelConfig": "engine.labelling.label",
    "LabelSummary": "engine.labelling.summary",
    "LoopConfig": "engine.training.loop",
    "ReadOptions": "engine.inputs.options",
    "Repair": "engine.labelling.repair",
    "Report": "engine.report.report",
    "ReportConfig": "engine.report.report",
    "SavingConfig": "engine.training.output.saving",
    "SoftLoss": "engine.training.loss",
    "Trained": "engine.training.output.saved_model",
    "ValidationConfig": "engine.training.validation",
    "add_gold": "engine.ingest.gold_rounds",
    "calibrate": "engine.evaluation.calibrate",
    "evaluate": "engine.evaluation.evaluate",
    "finetune": "engine.training.finetune",
    "label": "engine.labelling.label",
    "label_from": "engine.answers.label_from",
    "make_report": "engine.report.report",
    "repair": "engine.labelling.repair",
    "train": "engine.training.distill",
}

__all__ = [
    "AnswerColumns",
    "AnswersConfig",
    "AnswersSummary",
    "CalibrateConfig",
    "Calibration",
    "Choices",
    "ColumnNames",
    "DistillConfig",
    "EvalConfig",
    "Evaluation",
    "FinetuneConfig",
    "GoldConfig",
    "GoldRound",
    "GoldRoundConfig",
    "LabelColumns",
    "LabelConfig",
    "LabelSummary",
    "LoopConfig",
    "ReadOptions",
    "Repair",
    "Report",
    "ReportConfig",
    "SavingConfig",
    "SoftLoss",
    "Trained",
    "ValidationConfig",
    "add_gold",
    "calibrate",
    "evaluate",
    "finetune",
    "label",
    "label_from",
    "make_report",
    "repair",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
