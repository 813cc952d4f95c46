"""The provider's errors, as its API answers them: code, words and HTTP status."""

from __future__ import annotations

from dataclasses import dataclass


class ProviderError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        more_info = f"https://www.twilio.com/docs/errors/{self.code}"
        return {"code": self.code, "message": self.message, "more_info": more_info, "status": self.status}


def not_found(path: str) -> ProviderError:
    """Nothing is at this address (20404)."""
    return ProviderError(404, 20404, f"The requested resource {path} was not found")


def not_authenticated() -> ProviderError:
    """Account and token do not fit (20003)."""
    return ProviderError(401, 20003, "Authenticate")


def too_many() -> ProviderError:
    """Too many requests at once (20429)."""
    return ProviderError(429, 20429, "Too Many Requests")


def bad(code: int, message: str) -> ProviderError:
    """A parameter that cannot be accepted."""
    return ProviderError(400, code, message)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something went wrong later and is only told in the notifications: `log` 0 is an error, 1 a warning."""

    code: int
    text: str
    log: int = 0
    url: str = ""
    method: str = "POST"
