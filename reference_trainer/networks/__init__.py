"""The networks of the paper: Table 2, the smaller ones of Table 1, and those of MNIST-1K."""

__all__: list[str] = []
