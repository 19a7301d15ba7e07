"""The page of an evaluation: verdicts, what is wrong in words, numbers, charts and pictures."""

from pgan_toolkit.evaluation.pages.findings import RULES, Finding, find_differences
from pgan_toolkit.evaluation.pages.likeness import Likeness, compare_likeness
from pgan_toolkit.evaluation.pages.looking import PageLook, View, look_at
from pgan_toolkit.evaluation.pages.side import Side, SideStatistics, page_sample
from pgan_toolkit.evaluation.pages.writing import report_html, write_html

__all__ = [
    "RULES",
    "Finding",
    "Likeness",
    "PageLook",
    "Side",
    "SideStatistics",
    "View",
    "compare_likeness",
    "find_differences",
    "look_at",
    "page_sample",
    "report_html",
    "write_html",
]
