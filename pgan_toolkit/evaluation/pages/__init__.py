"""The page of an evaluation: verdicts, what is wrong in words, numbers, charts and pictures."""

__all__: list[str] = []
