"""Addresses for callbacks that only we can have made: a replyRef and an expiry, signed."""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadSignature, Signer
from useapi_runwayml_api.creations.registry import CREATIONS

from ..errors import ParameterError, Problem

FIELD = "signed"
EIGHT_DAYS = timedelta(days=8)
SHORTEST_SECRET = 16
LONGEST = min(each.request_model.CONSTRAINTS["reply_url"].max_length for each in CREATIONS.values())


class ReplyUrlSigner:
    """Makes a replyUrl for a replyRef, and tells whether one was made here.

    Args:
        secrets: what signs, a text of 16 characters or more that nobody else knows; or several, of which the first signs and all
            are accepted, so that a new one can be put before an old one. They never show.
        base_url: where the callbacks arrive from outside, as https://example.com/runway; a query of its own is kept.
        max_age: for how long an address is accepted, in seconds or as a timedelta; results are kept for a week (a fact of low
            confidence), hence eight days.

    Raises:
        ParameterError: a secret that is too short, or a base_url that is no address.
    """

    def __init__(self, secrets: str | Sequence[str], base_url: str, max_age: float | timedelta = EIGHT_DAYS) -> None:
        chosen = [secrets] if isinstance(secrets, str) else [*(secrets or ())]
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        self._base_url = base_url if isinstance(base_url, str) else ""
        if problems := [*_problems(chosen, base_url, seconds)]:
            del secrets, chosen  # whoever sends tracebacks sends what stands in their frames
            raise ParameterError(problems)
        self._signer = Signer([*reversed(chosen)], "useapi-runwayml.reply-url", digest_method=hashlib.sha256)
        self._seconds = seconds
        self._now: Callable[[], float] = time.time

    def __repr__(self) -> str:
        parts = urlsplit(self._base_url)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")
        return f"{type(self).__name__}(base_url={shown.geturl()!r})"

    def url_for(self, reply_ref: str) -> str:
        """The address to give as `reply_url` with this `reply_ref`. ParameterError when it would be longer than the service takes."""
        if not isinstance(reply_ref, str) or not reply_ref:
            raise ParameterError([Problem("reply_ref", reply_ref, "it must be a string that is not empty")])
        coded = urlsafe_b64encode(reply_ref.encode(errors="surrogatepass")).decode().rstrip("=")
        signed = self._signer.sign(f"{coded}.{int(self._now() + self._seconds)}").decode()
        url = f"{self._base_url}{'&' if '?' in self._base_url else '?'}{FIELD}={signed}"
        if len(url) > LONGEST:
            rule = f"it would have {len(url)} characters, and the service takes {LONGEST}: take a shorter reply_ref or base_url"
            raise ParameterError([Problem("reply_url", None, rule)])
        return url

    def check(self, url: str) -> str:
        """The replyRef of an address that was made here and has not expired; ParameterError otherwise. Only its query counts: proxies change the rest."""
        try:
            given = dict(parse_qsl(urlsplit(url).query, max_num_fields=100)).get(FIELD, "")
            if not re.fullmatch(r"[A-Za-z0-9._-]+", given):  # / is _ to those who read base64: one address has one form
                raise BadSignature("other letters")
            coded, _, until = self._signer.unsign(given).decode().rpartition(".")
            reply_ref = urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode(errors="surrogatepass")
        except (BadSignature, ValueError):  # neither an address, nor a query of ours, nor base64, nor UTF-8
            raise ParameterError([Problem("url", None, "it bears no signature of ours")]) from None
        if int(until) < self._now():
            raise ParameterError([Problem("url", None, "it has expired")])
        return reply_ref


def _can_be_written(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _problems(secrets: Sequence[Any], base_url: Any, seconds: Any) -> Iterator[Problem]:
    if not secrets or not all(isinstance(each, str) and len(each) >= SHORTEST_SECRET for each in secrets):
        yield Problem("secrets", None, f"each must be a text of {SHORTEST_SECRET} characters at least")
    elif not all(map(_can_be_written, secrets)):
        yield Problem("secrets", None, "each must be text that can be written as UTF-8")
    if not isinstance(seconds, (int, float)) or not 0 < seconds < 1e10:
        yield Problem("max_age", seconds, "it must be seconds, more than 0")
    try:
        parts = urlsplit(base_url) if isinstance(base_url, str) else urlsplit("")
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
    except ValueError:
        is_address = False
    if not is_address or not base_url.isprintable() or " " in base_url:
        yield Problem("base_url", None, "it must be an address, as https://example.com/runway")
