"""``engine`` on a terminal of 80 columns, as a user sees it."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(*arguments: str, answer: bytes = b"") -> tuple[int, str]:
    """Exit code and what is shown; ``answer`` is typed when a question is shown."""
    mine, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is one
    )
    os.close(its)
    shown = b""
    try:
        while piece := os.read(mine, 4096):
            shown += piece
            if answer and b"?" in shown:
                os.write(mine, answer)
                answer = b""
    except OSError:
        pass  # how a terminal tells its end
    os.close(mine)
    return process.wait(timeout=60), _ESCAPES.sub("", shown.decode())
