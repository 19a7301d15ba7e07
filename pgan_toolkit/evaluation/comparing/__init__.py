"""Two sets judged: all metrics in one pass, thresholds and baselines, and reports."""

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
    "BaselineNote",
    "Measured",
    "Report",
    "Score",
    "Verdict",
    "read_report",
    "report_from_json",
    "report_json",
]
