"""The process that trains: what it learns from comes through a socket, the model goes back as ciphertext only.

Run as `python -m`, this file is that process (`vault/child.py`); it writes no file. It ends when the run hangs up, and
its memory with it: crops, mean faces, probe frames, running weights, gradients, optimiser, and what libraries freed.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deid_audit.vault.child import begin_as_child
from deid_audit.vault.key import SecretKey

if TYPE_CHECKING:
    from deid_audit.pipeline.channel import Channel


def main(arguments: Sequence[str]) -> int:
    """Serves the run that started this process until it hangs up; the exit status."""
    connection, descriptors = begin_as_child(arguments)
    keys = [SecretKey.lent_by(descriptor) for descriptor in descriptors]
    # only now, when nobody can read this process any more: this takes seconds
    from deid_audit.pipeline.channel import Channel  # noqa: PLC0415

    return answer(Channel(connection), keys)


def answer(channel: "Channel", keys: Sequence[SecretKey]) -> int:
    """Serves, and tells the other end of an error, if it is still there; the exit status."""
    from deid_audit.pipeline.channel import Failed, HungUp  # noqa: PLC0415

    try:
        try:
            from deid_audit.pipeline.learning import serve  # noqa: PLC0415

            serve(channel, keys)
        except Exception as error:
            channel.send(Failed.of(error))
            return 1
    except HungUp:  # nobody is left to tell
        return 1
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # without the second in which the interpreter takes torch apart
