"""A run's folder: what is where, checkpoints, and how a run is found again."""

__all__: list[str] = []
