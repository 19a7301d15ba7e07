"""A report as JUnit XML, which CI systems show: one test case a verdict."""

import re
from xml.etree import ElementTree

from pgan_toolkit.evaluation.comparing.outcomes import Verdict
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.text import number_text

__all__ = ["report_junit"]

_SUITE = "pgan-toolkit evaluate"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report_junit(report: Report) -> bytes:
    """Return a report as JUnit XML.

    A failed threshold or a regression is a failure, what cannot be compared an error, and a metric
    that was not measured is skipped. No case is named by what a baseline holds, so that a CI system
    knows it again after the baseline was made anew.
    """
    statuses = [verdict.status for verdict in report.verdicts]
    counts = {
        "tests": str(len(statuses) + len(report.skipped)),
        "failures": str(statuses.count("fail")),
        "errors": str(statuses.count("not comparable")),
        "time": f"{report.seconds:.2f}",
    }
    root = ElementTree.Element("testsuites", {"name": _SUITE, **counts})
    about = {"skipped": str(len(report.skipped))}
    about["timestamp"] = report.created.removesuffix("+00:00")
    suite = ElementTree.SubElement(root, "testsuite", {"name": _SUITE, **counts, **about})
    for verdict in report.verdicts:
        _add_verdict(suite, verdict)
    for metric, reason in report.skipped.items():
        case = _case(suite, metric, "is measured")
        ElementTree.SubElement(case, "skipped", {"message": _clean(reason)})
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _add_verdict(suite: ElementTree.Element, verdict: Verdict) -> None:
    limit = number_text(verdict.limit)
    of_baseline = verdict.kind == "baseline"
    demanded = "no worse than the baseline" if of_baseline else f"{verdict.kind} {limit}"
    case = _case(suite, verdict.score, f"{verdict.score} {demanded}")
    if verdict.status != "pass":
        kind = "failure" if verdict.status == "fail" else "error"
        about = {"message": _clean(verdict.message), "type": verdict.kind}
        ElementTree.SubElement(case, kind, about).text = _clean(verdict.message)
    held = f"baseline: {limit}" if of_baseline else ""
    said = "\n".join(filter(None, (verdict.message, held, verdict.caution)))
    ElementTree.SubElement(case, "system-out").text = _clean(said)


def _case(suite: ElementTree.Element, of: str, name: str) -> ElementTree.Element:
    about = {"classname": f"pgan-toolkit.{_clean(of)}", "name": _clean(name), "time": "0"}
    return ElementTree.SubElement(suite, "testcase", about)


def _clean(text: str) -> str:
    """Replace what XML cannot hold, such as the control characters of a file name."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
