"""Page-locked ("pinned") memory of the host, from which a GPU fetches by itself; other memory is copied twice.

Source: NVIDIA's CUDA Driver API, "Memory Management", cuMemHostAlloc. The driver alone is asked, so that an array is
page-locked for every library of this process: all of them share the device's primary context.
"""

import ctypes
from typing import Any

import numpy as np

DRIVER = "libcuda.so.1"
PORTABLE = 1  # CU_MEMHOSTALLOC_PORTABLE: page-locked for every context


class Refused(Exception):
    """The driver locks no pages, or not so many; the message says what failed."""


def page_locked(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy of an array in page-locked memory, which stays locked as long as the process lives.

    Raises:
        Refused: there is no NVIDIA driver, or it refuses, as where too much is locked already.
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError as error:
        raise Refused(f"there is no NVIDIA driver: {error}") from error

    def ask(function: str, *arguments: Any) -> None:
        if error := getattr(driver, function)(*arguments):
            raise Refused(f"{function} of the NVIDIA driver failed with error {error}")

    device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    ask("cuInit", 0)
    ask("cuDeviceGet", ctypes.byref(device), 0)
    ask("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    ask("cuCtxSetCurrent", context)
    ask("cuMemHostAlloc", ctypes.byref(pointer), ctypes.c_size_t(array.nbytes), PORTABLE)
    assert pointer.value
    memory = (ctypes.c_uint8 * array.nbytes).from_address(pointer.value)
    copy: np.ndarray = np.ctypeslib.as_array(memory).view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.setflags(write=False)
    return copy
