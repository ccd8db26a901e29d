"""A server of objects in this process, whose answers go wrong when a test says so, and which counts the requests."""

import collections
import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Self

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

BUCKET = "bucket"
Application = Callable[..., Iterable[bytes]]


class Trouble(Enum):
    """What goes wrong with one request."""

    LOST = "it is done, and the connection breaks before the answer"
    CONFLICT = "409, and nothing is done: S3 so answers a creation that races with another request"
    BUSY = "503, and nothing is done"
    SLOW = "it is done after a while"
    CUT = "of the answer to a read, the second half does not come"
    STALE = "a list is answered as it was the last time"


Choose = Callable[[Request], Trouble | None]


class TroubledServer:
    """A server on a port of its own, with one bucket.

    Args:
        backend: the WSGI application that keeps the objects.

    Attributes:
        root: URL of its bucket, as a store has it.
        url: where it listens.
        choose: asked for each request what goes wrong with it.
        requests: method and path of each request, with its query.
        struck: how often each trouble came.
        ignores_conditions: whether it overwrites what is to be created, as some servers do.
    """

    root: str

    def __init__(self, backend: Application) -> None:
        self._backend = backend
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # moto fails at times where an object is replaced
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._lists: dict[str, Any] = {}
        self._one_writer = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Count from the beginning, without troubles. Objects stay."""
        self.choose: Choose = lambda _: None
        self.requests: list[tuple[str, str]] = []
        self.struck: collections.Counter[Trouble] = collections.Counter()
        self.ignores_conditions = False
        self._refusal: Response | None = None

    def refuse_with(self, code: str, status: int) -> None:
        """Answer each request with this error, until all is forgotten."""
        self._refusal = _error(code, status)

    def __enter__(self) -> Self:
        self._thread.start()
        self.make_bucket(BUCKET)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def make_bucket(self, name: str) -> None:
        """Make one more bucket."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The variables with which clients ask this server."""
        raise NotImplementedError

    def count(self, method: str, holding: str = "") -> int:
        """Requests of ``method`` whose path has ``holding`` in it."""
        return sum(one == method and holding in path for one, path in self.requests)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self.ignores_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        request = Request(environ)
        self.requests.append((request.method, request.full_path.rstrip("?")))
        if self._refusal is not None:
            request.get_data()
            return self._refusal(environ, start_response)
        trouble = self.choose(request)
        if trouble is not None:
            self.struck[trouble] += 1
        if trouble in _REFUSALS:
            request.get_data()
            return _REFUSALS[trouble](environ, start_response)
        if trouble is Trouble.SLOW:
            time.sleep(0.05)
        # moto looks whether a key exists, and then writes it: of two creations at once both could win, unlike S3's.
        with self._one_writer if request.method == "PUT" else contextlib.nullcontext():
            answer = Response.from_app(self._backend, environ, buffered=True)
        if trouble is Trouble.LOST:
            with contextlib.suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if trouble is Trouble.CUT:
            data = answer.get_data()
            answer.response = [data[: len(data) // 2]]
            answer.headers |= {"Content-Length": str(len(data)), "Connection": "close"}
        if _is_list(request):
            fresh, answer = answer, self._lists.get(request.full_path, answer) if trouble is Trouble.STALE else answer
            self._lists[request.full_path] = fresh
        return answer(environ, start_response)


def _is_list(request: Request) -> bool:
    """In the words of S3, or of Azure."""
    return "list-type" in request.args or request.args.get("comp") == "list"


def _error(code: str, status: int) -> Response:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>refused</Message></Error>"
    return Response(body, status=status, content_type="application/xml")


_REFUSALS = {Trouble.CONFLICT: _error("ConditionalRequestConflict", 409), Trouble.BUSY: _error("SlowDown", 503)}


def seldom(chance: random.Random, share: float, troubles: Iterable[Trouble] = tuple(Trouble)) -> Choose:
    """Troubles at random, each of those that may strike a request, in a share of the requests and half of the lists."""
    kinds, lock = tuple(troubles), threading.Lock()

    def choose(request: Request) -> Trouble | None:
        is_list = _is_list(request)
        unlike = {
            Trouble.CONFLICT: "If-None-Match" not in request.headers,
            Trouble.CUT: request.method != "GET" or is_list,
            Trouble.STALE: not is_list,
            **dict.fromkeys((Trouble.LOST, Trouble.BUSY, Trouble.SLOW), is_list and Trouble.STALE in kinds),
        }
        with lock:
            if chance.random() >= (0.5 if is_list else share):
                return None
            return chance.choice([kind for kind in kinds if not unlike.get(kind)])

    return choose
