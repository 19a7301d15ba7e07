"""Pictures and films from a run."""

__all__: list[str] = []
