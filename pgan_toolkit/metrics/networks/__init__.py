"""The networks whose features and classes the metrics need."""

__all__: list[str] = []
