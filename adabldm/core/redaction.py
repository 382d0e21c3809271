"""Credentials in texts that are shown or kept."""

from __future__ import annotations

import re

SHOWN = "***"
_USER = re.compile(r"(?<=://)[^\s/@:'\"?#]*:[^\s/@'\"]+@")
_NAMES = (
    r"[\w.-]*(?:signature|credential|password|passwd|secret|token|access[_-]?key(?:[_-]?id)?"
    r"|api[_-]?key|account[_-]?key)|sig|pwd|auth"
)
_SETTING = re.compile(rf"(?i)([?&;,\s](?:{_NAMES})=)[^&;,\s'\")\]}}]+")


def redacted(text: str) -> str:
    """``text`` without a URI's user and password, and without the values of settings whose names
    say that they are secret (``X-Amz-Signature``, ``sig``, ``token``, ...)."""
    if "=" not in text and "@" not in text:
        return text
    return _SETTING.sub(rf"\g<1>{SHOWN}", _USER.sub(f"{SHOWN}@", text))


def holds_password(uri: str) -> bool:
    """Whether ``uri`` names a user with a password before its host or bucket."""
    return _USER.search(uri) is not None
