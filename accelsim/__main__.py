"""`python -m accelsim`, and the command `accelsim`."""

import os
import signal
import sys
from types import FrameType

from accelsim.collection import collect_rarely

INTERRUPTED = 130


def start() -> int:
    """Run the command line. An interrupt ends it with 130, also where a library makes another error of it."""
    collect_rarely()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else all that is installed is searched for plug-ins
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else NumPy starts a thread for each core, which waits actively
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        from accelsim.cli import main

        return main()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from accelsim.cli import main

    interrupts = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        return main()
    except BaseException:
        if interrupts:
            return INTERRUPTED
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(start())
