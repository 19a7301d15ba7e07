"""What a report says to GitHub's runner: annotations, as its workflow commands are written."""

from pgan_toolkit.evaluation.comparing.report import Report

__all__ = ["github_annotations"]

_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}


def github_annotations(report: Report) -> tuple[str, ...]:
    """Return a line for standard output a verdict that did not pass, and a warning a caution.

    Nothing in a message can end its line or begin another command.
    """
    lines = []
    for verdict in report.verdicts:
        if verdict.status != "pass":
            title = f"{verdict.score}: {verdict.status}"
            lines.append(_command("error", title=title, message=verdict.message))
        elif verdict.caution:
            message = f"{verdict.message}; {verdict.caution}"
            lines.append(_command("warning", title=f"{verdict.score}: caution", message=message))
    return tuple(lines)


def _command(name: str, *, title: str, message: str) -> str:
    return f"::{name} title={_escaped(title, _IN_PROPERTIES)}::{_escaped(message, _IN_MESSAGES)}"


def _escaped(text: str, codes: dict[str, str]) -> str:
    return "".join(codes.get(character, character) for character in text)
