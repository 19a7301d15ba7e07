"""What torch.save wrote of tensors, read without running anything and without unpacking bombs."""

import io
import warnings
import zipfile
from typing import Any

import torch
from torch import Tensor

__all__ = ["is_plain", "load_pickled"]


def load_pickled(data: bytes) -> Any:
    """Load a pickle of tensors and plain objects; of a zip archive only one that is not compressed.

    Parameters
    ----------
    data : bytes
        The file.

    Raises
    ------
    ValueError
        It is compressed, which torch.save never does: it could unpack to any size.
    Exception
        Of many kinds, where it is damaged; pickle.UnpicklingError where loading it could run code.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > len(data):
            raise ValueError(f"it unpacks from {len(data):,} to {unpacked:,} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old and of odd contents, which are judged afterwards
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def is_plain(value: object) -> bool:
    """Whether a value is a tensor whose numbers all lie in the file: not a sparse one, say.

    Nor one without numbers (of the device "meta"), or a view that shows a few of them often.
    """
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_nested:
        return False
    if value.device.type != "cpu":
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
