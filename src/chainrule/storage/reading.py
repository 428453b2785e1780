"""Reading a whole file, of bounded size."""

from __future__ import annotations

import os
import stat

from chainrule.errors import DataError, shown
from chainrule.file_kinds import address_advice
from chainrule.lang.messages import _

__all__ = ["MAX_BYTES", "read_bytes"]

MAX_BYTES = 2 << 30


def read_bytes(where: str) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES."""
    try:
        status = os.stat(where)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                _("{where} is a folder, not a model file. Name a file inside it.", where=where)
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(_("{where} is a device or a pipe, not a model file.", where=where))
        if status.st_size > MAX_BYTES:
            raise DataError(
                _(
                    "{where} has {size:,} bytes; at most {most:,} are read.",
                    where=where,
                    size=status.st_size,
                    most=MAX_BYTES,
                )
            )
        with open(where, "rb") as file:
            return file.read(min(status.st_size, MAX_BYTES) + 1)  # room is made for all of it
    except FileNotFoundError:
        advice = address_advice(where)
        if advice is not None:  # which is not repeated: it may hold secrets
            raise DataError(_("this is an address: {advice}.", advice=advice)) from None
        raise DataError(
            _("{where}: there is no such model file. Check the name and the folder.", where=where)
        ) from None
    except PermissionError:
        raise DataError(
            _("{where} may not be read: no permission. Change its permissions.", where=where)
        ) from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            _("{where} is no file name: {why}.", where=shown(where), why=error)
        ) from None
