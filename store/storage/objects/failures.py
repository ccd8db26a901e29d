"""Errors of the client of an object store → those of a store, with what to do about them."""

import contextlib
import re
from collections.abc import Iterator

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from store.errors import StoreError, StoreMissingError
from store.storage.urls import without_credentials


class RefusedError(StoreError):
    """A creation was refused. Whether the object exists has to be looked at.

    S3 says so, too, where a creation raced with a deletion, and where the answer to an earlier try was lost.
    """


class PassingError(StoreError):
    """A request failed for a reason that may pass. What became of one that writes is not known."""


class UnreachableError(PassingError):
    """The server has no address, or nobody listens there."""


_REFUSED = (AlreadyExistsError, PreconditionError)  # Azure has the second
_IN_VAIN = (PermissionDeniedError, NotSupportedError, InvalidPathError, ValueError)
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_SKIP_SIGNATURE=true for what is public",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or sign in: gcloud auth application-default login",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or what else your account uses",
}
_FORBIDDEN = (
    "access is forbidden; who reads needs the rights to get and list objects, and who writes also that to put them"
)
_AGAIN = "What was committed stays; run the same command again"
_NO_BUCKET = "there is no such {bucket}; make it, or correct its name"
_EXPIRED = "the credentials have expired; get new ones, and run the command again"
_WRONG = "the credentials are wrong; {credentials}"
_NONE = "there are no credentials; {credentials}"
_REGION = "the bucket is in another region; set AWS_REGION"
_NO_ADDRESS = "its server has no address: is the name of the endpoint right, and is there a network?"
_NO_SERVER = "its server cannot be reached: is the endpoint right, and is there a network?"
_BUSY = "its server is overloaded or has a fault, also after several tries"
_SILENT = "its server does not answer, also after several tries"
_LASTING = (
    (r"NoSuchBucket|ContainerNotFound|bucket does not exist", _NO_BUCKET),
    (r"ExpiredToken|TokenRefreshRequired", _EXPIRED),
    (r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed", _WRONG),
    (r"RequestTimeTooSkewed", "the clock of this machine is wrong; set it"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|without LOCATION", _REGION),
    (r"latest/api/token|computeMetadata|CredentialsNotFound|Account must be specified", _NONE),
    (r"AccessDenied|403 Forbidden|AuthorizationFailure|AuthorizationPermissionMismatch", _FORBIDDEN),
)
_UNREACHABLE = (
    (r"dns error|failed to lookup", _NO_ADDRESS),
    (r"Connection refused|tcp connect error|Network is unreachable", _NO_SERVER),
)
_PASSING = (
    (r"SlowDown|ServerBusy|ServiceUnavailable|InternalError|status code: 5\d\d", _BUSY),
    (r"[Tt]imed ?[Oo]ut|error sending request|Incomplete|connection closed|Connection reset|body error", _SILENT),
)
"""What an error of the client says → what to do. The first pattern that is found counts."""
_OWN_FAULT = re.compile(r"credential provider: StoreError: (.+)")  # of `aws_profile`, told by the client
_SETTINGS = re.compile(r"(max_retries|retry_timeout): \S+")  # of the client, in its errors


@contextlib.contextmanager
def explained(place: str, scheme: str, *, missing: str | None = None) -> Iterator[None]:
    """Turn errors of the client into those of a store.

    Args:
        place: URL of the store.
        scheme: of the URL.
        missing: the file that is read: that it is not there is a `StoreMissingError`.
    """
    try:
        yield
    except _REFUSED as error:
        raise RefusedError(f"{place}: the request was refused: {_first_line(error)}") from error
    except (BaseError, OSError, ValueError) as error:
        raise _explanation(error, place, scheme, missing) from error


def _explanation(error: Exception, place: str, scheme: str, missing: str | None) -> StoreError:
    said = _SETTINGS.sub("", str(error))
    if (own := _OWN_FAULT.search(said)) is not None:
        return StoreError(f"{place}: {own[1]}")
    if (remedy := _remedy(_LASTING, said)) is not None:
        bucket = "container" if scheme == "az" else "bucket"
        return StoreError(f"{place}: {remedy.format(credentials=_CREDENTIALS.get(scheme, ''), bucket=bucket)}")
    if isinstance(error, FileNotFoundError) and missing is not None:
        return StoreMissingError(f"{place}: there is no file {missing}")
    if isinstance(error, UnauthenticatedError):
        return StoreError(f"{place}: {_WRONG.format(credentials=_CREDENTIALS.get(scheme, ''))}")
    if isinstance(error, _IN_VAIN):
        return StoreError(f"{place}: {_first_line(error)}")
    if (remedy := _remedy(_UNREACHABLE, said)) is not None:
        return UnreachableError(f"{place}: {remedy}")
    remedy = _remedy(_PASSING, said) or f"the request failed: {_first_line(error)}"
    return PassingError(f"{place}: {remedy}. {_AGAIN}")


def _remedy(known: tuple[tuple[str, str], ...], said: str) -> str | None:
    return next((remedy for pattern, remedy in known if re.search(pattern, said)), None)


def _first_line(error: BaseException) -> str:
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return without_credentials(line)[:300]
