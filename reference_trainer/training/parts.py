"""The parts of a step by name, for a profile: where nobody profiles they cost some microseconds."""

from torch.profiler import record_function

__all__ = ["PREFIX", "part"]

PREFIX = "step: "
"""What the names of all parts begin with in a trace."""


def part(name: str) -> record_function:
    """Return a context in which all that is done is of that part."""
    return record_function(PREFIX + name)
