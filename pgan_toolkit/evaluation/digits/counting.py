"""The discrete modes of a stored set."""

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.modes import (
    MODES_IMAGES,
    MODES_REPEATS,
    ChannelClassifier,
    DiscreteModes,
    check_digit_size,
)

__all__ = ["count_modes"]


def count_modes(
    stream: ImageStream,
    *,
    classifier: ChannelClassifier,
    images: int = MODES_IMAGES,
    repeats: int = MODES_REPEATS,
) -> tuple[DiscreteModes, ImageStream]:
    """Count the modes of stacked digits, in as many whole repeats as there are images for.

    Parameters
    ----------
    stream : ImageStream
        Pictures of 28x28 or 32x32.
    classifier : ChannelClassifier
        Tells the digits of each channel.
    images : int
        Images of a repeat. Where there are fewer, what there is makes one.
    repeats : int
        Repeats at most, over disjoint runs of neighbouring images.

    Returns
    -------
    DiscreteModes
        To compute from, and to draw.
    ImageStream
        What was read.

    Raises
    ------
    DataError
        The pictures are of another size, or cannot be read; the message names the set or the file.
    """
    modes = DiscreteModes(classifier, images=images, repeats=repeats)
    try:
        check_digit_size(*stream.size)
    except DataError as error:
        raise DataError(f"{stream.path}: {error}") from error
    whole = min(len(stream) // images, repeats)
    read = stream.take(whole * images) if whole else stream
    feed(read, modes, label="counting modes")
    return modes, read
