"""From image sets to results: streams, extractors, the cache of statistics, and protocols."""

__all__: list[str] = []
