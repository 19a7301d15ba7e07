"""Training of the restoration networks."""

__all__: list[str] = []
