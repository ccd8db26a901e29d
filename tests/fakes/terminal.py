"""``engine`` on a terminal of 80 columns, as a user sees it."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios

_PATIENCE = 2.0
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
    shown, is_asked = b"", False
    try:
        while True:
            if not select.select([mine], [], [], _PATIENCE)[0]:
                if is_asked:  # a Ctrl-C that comes just before Python waits for a key is seen with the next key
                    os.write(mine, answer)
                continue
            shown += os.read(mine, 4096)
            if answer and not is_asked and b"?" in shown:
                is_asked = True
                os.write(mine, answer)
    except OSError:
        pass  # how a terminal tells its end
    finally:
        os.close(mine)
        if process.poll() is None and not _ends(process):
            process.kill()
    return process.wait(timeout=60), _ESCAPES.sub("", shown.decode())


def _ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return True
