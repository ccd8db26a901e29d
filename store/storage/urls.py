"""URLs, and texts that have some → the same without credentials, which logs, errors and records would keep."""

import re

_USER = re.compile(r"://[^/\s]*@")
_QUERY = re.compile(r"(://[^?\s]*)\?[^\s)\"']*")
_SIGNED = re.compile(
    r"\?.*\b(sig|signature|x-\w+-(signature|credential|security-token)|awsaccesskeyid)=", re.IGNORECASE
)


def without_credentials(said: str) -> str:
    """``said``, in whose URLs a name, a password and a query, which may be signed, are left out."""
    return _QUERY.sub(r"\1?…", _USER.sub("://…@", said))


def has_credentials(url: str) -> bool:
    """Whether ``url`` has a name or a password before its server, or a query that is signed."""
    return bool(_USER.search(url) or _SIGNED.search(url))
