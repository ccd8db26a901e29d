"""Turn plenty of unlabelled text and few labels into a small, fast, accurate classifier.

The work that the command line does, as functions that take the same choices as dataclasses:

    engine.finetune(engine.FinetuneConfig(…))   gold labels → a teacher
    engine.label(engine.LabelConfig(…))         texts + a teacher → a store of soft labels
    engine.forecast(engine.LabelConfig(…))      the same → what it will take, with nothing written
    engine.label_from(engine.AnswersConfig(…))  anybody's answers by id → a label set of a store
    engine.train(engine.DistillConfig(…))       a store → a student
    engine.add_gold(engine.GoldRoundConfig(…))  labels by id → a round of gold in a store
    engine.evaluate(engine.EvalConfig(…))       a model + gold labels → how good it is
    engine.compare(engine.CompareConfig(…))     few labels + plenty of text → is distilling worth it?
    engine.predict(engine.PredictConfig(…))     a model + texts → a file with the class of each
    engine.load("student").predict(texts)       the same in memory, for a service
    engine.calibrate(engine.CalibrateConfig(…))  a store + its gold → the temperature of a label set
    engine.near_duplicates(engine.NearDuplicatesConfig(…))  a store → its rows that are nearly the same as others
    engine.export_store(engine.ExportConfig(…))  a store → Parquet, WebDataset tars, a Hugging Face data set
    engine.export_onnx(engine.OnnxConfig(…))    a classifier → a folder for servers of ONNX files
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
    from engine.comparison.compare import compare
    from engine.comparison.experiment.choices import CompareConfig
    from engine.comparison.prices import Prices
    from engine.comparison.summary import Comparison
    from engine.evaluation.calibrate import CalibrateConfig, calibrate
    from engine.evaluation.evaluate import EvalConfig, Evaluation, evaluate
    from engine.evaluation.near_duplicates import NearDuplicateRows, NearDuplicatesConfig, near_duplicates
    from engine.export.config import ExportConfig, Exported
    from engine.export.export import export_store
    from engine.export.onnx.config import OnnxConfig, OnnxExport
    from engine.export.onnx.export import export_onnx
    from engine.export.onnx.rows import RowsConfig
    from engine.ingest.gold_rounds import GoldRound, GoldRoundConfig, add_gold
    from engine.inputs.columns import ColumnNames, LabelColumns
    from engine.inputs.labels.labelled import GoldConfig
    from engine.inputs.options import ReadOptions
    from engine.labelling.label import label
    from engine.labelling.pilot.dry_run import forecast
    from engine.labelling.pilot.forecast import Forecast
    from engine.labelling.planning.choices import Choices
    from engine.labelling.planning.config import LabelConfig
    from engine.labelling.repair import Repair, repair
    from engine.labelling.summary import LabelSummary
    from engine.prediction.config import Cascade, PredictConfig
    from engine.prediction.loaded import LoadedModel, Predictions, load
    from engine.prediction.predict import predict
    from engine.prediction.summary import PredictSummary
    from engine.report.report import Report, ReportConfig, make_report
    from engine.training.data.stored_gold import StoredGold
    from engine.training.distill import DistillConfig, train
    from engine.training.finetune import FinetuneConfig, finetune
    from engine.training.mlm.config import MlmConfig
    from engine.training.output.trained import Trained
    from engine.training.tasks.config import LoopConfig, SavingConfig, ValidationConfig
    from engine.training.tasks.soft_loss import SoftLoss
    from store.gold.calibration import Calibration

_HOME = {
    "AnswerColumns": "engine.answers.columns",
    "AnswersConfig": "engine.answers.label_from",
    "AnswersSummary": "engine.answers.summary",
    "CalibrateConfig": "engine.evaluation.calibrate",
    "Calibration": "store.gold.calibration",
    "Cascade": "engine.prediction.config",
    "Choices": "engine.labelling.planning.choices",
    "ColumnNames": "engine.inputs.columns",
    "CompareConfig": "engine.comparison.experiment.choices",
    "Comparison": "engine.comparison.summary",
    "DistillConfig": "engine.training.distill",
    "EvalConfig": "engine.evaluation.evaluate",
    "Evaluation": "engine.evaluation.evaluate",
    "ExportConfig": "engine.export.config",
    "Exported": "engine.export.config",
    "FinetuneConfig": "engine.training.finetune",
    "Forecast": "engine.labelling.pilot.forecast",
    "GoldConfig": "engine.inputs.labels.labelled",
    "GoldRound": "engine.ingest.gold_rounds",
    "GoldRoundConfig": "engine.ingest.gold_rounds",
    "LabelColumns": "engine.inputs.columns",
    "LabelConfig": "engine.labelling.planning.config",
    "LabelSummary": "engine.labelling.summary",
    "LoadedModel": "engine.prediction.loaded",
    "LoopConfig": "engine.training.tasks.config",
    "MlmConfig": "engine.training.mlm.config",
    "NearDuplicateRows": "engine.evaluation.near_duplicates",
    "NearDuplicatesConfig": "engine.evaluation.near_duplicates",
    "OnnxConfig": "engine.export.onnx.config",
    "OnnxExport": "engine.export.onnx.config",
    "PredictConfig": "engine.prediction.config",
    "PredictSummary": "engine.prediction.summary",
    "Predictions": "engine.prediction.loaded",
    "Prices": "engine.comparison.prices",
    "ReadOptions": "engine.inputs.options",
    "Repair": "engine.labelling.repair",
    "Report": "engine.report.report",
    "ReportConfig": "engine.report.report",
    "RowsConfig": "engine.export.onnx.rows",
    "SavingConfig": "engine.training.tasks.config",
    "SoftLoss": "engine.training.tasks.soft_loss",
    "StoredGold": "engine.training.data.stored_gold",
    "Trained": "engine.training.output.trained",
    "ValidationConfig": "engine.training.tasks.config",
    "add_gold": "engine.ingest.gold_rounds",
    "calibrate": "engine.evaluation.calibrate",
    "compare": "engine.comparison.compare",
    "evaluate": "engine.evaluation.evaluate",
    "export_store": "engine.export.export",
    "export_onnx": "engine.export.onnx.export",
    "finetune": "engine.training.finetune",
    "forecast": "engine.labelling.pilot.dry_run",
    "label": "engine.labelling.label",
    "label_from": "engine.answers.label_from",
    "load": "engine.prediction.loaded",
    "make_report": "engine.report.report",
    "near_duplicates": "engine.evaluation.near_duplicates",
    "predict": "engine.prediction.predict",
    "repair": "engine.labelling.repair",
    "train": "engine.training.distill",
}

__all__ = [
    "AnswerColumns",
    "AnswersConfig",
    "AnswersSummary",
    "CalibrateConfig",
    "Calibration",
    "Cascade",
    "Choices",
    "ColumnNames",
    "CompareConfig",
    "Comparison",
    "DistillConfig",
    "EvalConfig",
    "Evaluation",
    "ExportConfig",
    "Exported",
    "FinetuneConfig",
    "Forecast",
    "GoldConfig",
    "GoldRound",
    "GoldRoundConfig",
    "LabelColumns",
    "LabelConfig",
    "LabelSummary",
    "LoadedModel",
    "LoopConfig",
    "MlmConfig",
    "NearDuplicateRows",
    "NearDuplicatesConfig",
    "OnnxConfig",
    "OnnxExport",
    "PredictConfig",
    "PredictSummary",
    "Predictions",
    "Prices",
    "ReadOptions",
    "Repair",
    "Report",
    "ReportConfig",
    "RowsConfig",
    "SavingConfig",
    "SoftLoss",
    "StoredGold",
    "Trained",
    "ValidationConfig",
    "add_gold",
    "calibrate",
    "compare",
    "evaluate",
    "export_onnx",
    "export_store",
    "finetune",
    "forecast",
    "label",
    "label_from",
    "load",
    "make_report",
    "near_duplicates",
    "predict",
    "repair",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
