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
from pgan_toolkit.evaluation.comparing.onlookers import Onlooker
from pgan_toolkit.evaluation.comparing.outcomes import (
    BaselineNote,
    Measured,
    Score,
    Verdict,
)
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.report_github import github_annotations
from pgan_toolkit.evaluation.comparing.report_json import (
    read_report,
    report_from_json,
    report_json,
)
from pgan_toolkit.evaluation.comparing.report_junit import report_junit
from pgan_toolkit.evaluation.comparing.report_markdown import report_markdown
from pgan_toolkit.evaluation.comparing.report_text import report_text
from pgan_toolkit.evaluation.comparing.settings_file import SettingsFile, read_settings_file

__all__ = [
    "METRICS",
    "SCORES",
    "BaselineNote",
    "Conditions",
    "EvaluationSettings",
    "GeneratorSource",
    "Measured",
    "Onlooker",
    "Report",
    "Score",
    "SettingsFile",
    "Thresholds",
    "Tolerance",
    "Verdict",
    "evaluate",
    "github_annotations",
    "judge",
    "load_generator",
    "read_report",
    "read_settings_file",
    "report_from_json",
    "report_json",
    "report_junit",
    "report_markdown",
    "report_text",
]
