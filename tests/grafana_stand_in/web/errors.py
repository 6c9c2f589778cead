"""Answers that are not what the caller hoped for, in the three shapes Grafana has."""

from __future__ import annotations

import random
from typing import Any

from .message import Response


class ApiError(Exception):
    def __init__(self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}

    def response(self) -> Response:
        if self.body is None:
            return Response(self.status, b"", headers=dict(self.headers))
        answer = Response.json(self.body, self.status)
        answer.headers.update(self.headers)
        return answer


def classic(status: int, message: str, /, **more: Any) -> ApiError:
    return ApiError(status, {"message": message, **more})


def errutil(status: int, message_id: str, message: str, /, **extra: Any) -> ApiError:
    body: dict[str, Any] = {"message": message, "messageId": message_id, "statusCode": status, "traceID": ""}
    if extra:
        body["extra"] = extra
    return ApiError(status, dict(sorted(body.items())))


def bad_request(message: str = "bad request data") -> ApiError:
    return classic(400, message)


def unauthorized() -> ApiError:
    return ApiError(401, {"extra": None, "message": "Unauthorized", "messageId": "auth.unauthorized", "statusCode": 401, "traceID": ""})


def denied(action: str) -> ApiError:
    error_id = "ACE" + "".join(random.choices("0123456789", k=10))
    message = f"You'll need additional permissions to perform this action. Permissions needed: {action}"
    return ApiError(403, {"accessErrorId": error_id, "message": message, "title": "Access denied"})


def kubernetes(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> ApiError:
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason}
    if details:
        body["details"] = details
    return ApiError(code, {**body, "code": code})
