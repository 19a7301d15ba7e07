"""Two sets judged: all metrics in one pass, thresholds and baselines, and reports."""

from pgan_toolkit.evaluation.comparing.baselines import Tolerance
from pgan_toolkit.evaluation.comparing.catalogue import METRICS, SCORES
from pgan_toolkit.evaluation.comparing.evaluating import (
    Conditions,
    EvaluationSettings,
    evaluate,
    judge,
)
from pgan_toolkit.evaluation.comparing.generators import GeneratorSource, load_generator
from pgan_toolkit.evaluation.comparing.judgement import Thresholds
from pgan_toolkit.evaluation.comparing.report import (
    BaselineNote,
    Measured,
    Report,
    Score,
    Verdict,
)
from pgan_toolkit.evaluation.comparing.report_json import (
    read_report,
    report_from_json,
    report_json,
)

__all__ = [
    "METRICS",
    "SCORES",
    "BaselineNote",
    "Conditions",
    "EvaluationSettings",
    "GeneratorSource",
    "Measured",
    "Report",
    "Score",
    "Thresholds",
    "Tolerance",
    "Verdict",
    "evaluate",
    "judge",
    "load_generator",
    "read_report",
    "report_from_json",
    "report_json",
]
