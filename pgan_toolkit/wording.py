"""Words of messages: numbers of things."""

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images", "1,000 images".

    Parameters
    ----------
    count : int
        How many.
    noun : str
        What, in the singular; its plural takes an s.
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
