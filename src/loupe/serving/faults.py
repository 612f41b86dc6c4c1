"""What a caller is told when something is refused: one shape, the right status."""

from __future__ import annotations

from loupe.errors import ImageError, LoupeError, OutOfMemoryError

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error",
         500: "server_error", 501: "not_supported_error", 502: "server_error", 503: "server_error",
         504: "timeout_error"}


class Refused(LoupeError):
    """A request that gets `status` instead of an answer; `param` names the field, `wait` the seconds to come again."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None,
                 wait: int | None = None, **facts):
        super().__init__(message, **facts)
        self.status, self.param, self.code, self.wait = status, param, code, wait

    @classmethod
    def of(cls, error: LoupeError, param: str | None = None) -> Refused:
        """Any mistake in the input as a 400, a full device as a 500; a Refused stays what it is."""
        if isinstance(error, Refused):
            return error
        code = "invalid_image" if isinstance(error, ImageError) else None
        status = 500 if isinstance(error, OutOfMemoryError) else 400
        made = cls(status, error.what, param=param, code=code, got=error.got, expected=error.expected,
                   where=error.where, do=error.do)
        return made

    @property
    def body(self) -> dict:
        return fault(self.status, str(self), self.param, self.code)

    @property
    def headers(self) -> dict[str, str]:
        out = {} if self.wait is None else {"Retry-After": str(self.wait)}
        return out | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def fault(status: int, message: str, param: str | None = None, code: str | None = None) -> dict:
    kind = TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
