"""What runs of training share: a log, checkpoints, and the wish to stop."""

__all__: list[str] = []
