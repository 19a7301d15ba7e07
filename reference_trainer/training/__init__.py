"""The training itself: steps, many GPUs, measurements, and the loop around them."""

__all__: list[str] = []
