"""The real pictures of a run: which comes when, reduced to the resolution of the moment."""

__all__: list[str] = []
