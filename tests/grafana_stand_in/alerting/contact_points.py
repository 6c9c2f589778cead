"""Contact points: named integrations, some of whose settings are secrets."""

from __future__ import annotations

from ..release import Release
from ..security.secrets import Box
from ..security.tokens import new_uid, valid_uid
from ..web.binding import Body
from ..web.errors import ApiError, bad_request, errutil
from . import provenance
from .configuration import Configuration, Json

REDACTED = "[REDACTED]"

# Integration type: settings of which all are needed, and settings that are secrets.
TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "prometheus-alertmanager": (("url",), ("basicAuthPassword",)),
    "dingding": (("url",), ("url",)),
    "discord": (("url",), ("url",)),
    "email": (("addresses",), ()),
    "googlechat": (("url",), ("url",)),
    "jira": (("api_url",), ("user", "password", "api_token")),
    "kafka": (("kafkaRestProxy", "kafkaTopic"), ("password",)),
    "line": (("token",), ("token",)),
    "mqtt": (("brokerUrl", "topic"), ("password",)),
    "oncall": (("url",), ("password", "authorization_credentials")),
    "opsgenie": (("apiKey",), ("apiKey",)),
    "pagerduty": (("integrationKey",), ("integrationKey",)),
    "pushover": (("apiToken", "userKey"), ("apiToken", "userKey")),
    "sensugo": (("url", "apikey"), ("apikey",)),
    "slack": ((), ("url", "token")),
    "sns": (("sigv4",), ("accessKey", "secretKey")),
    "teams": (("url",), ("url",)),
    "telegram": (("bottoken", "chatid"), ("bottoken",)),
    "threema": (("gateway_id", "recipient_id", "api_secret"), ("api_secret",)),
    "victorops": (("url",), ("url",)),
    "webex": (("bot_token",), ("bot_token",)),
    "webhook": (("url",), ("password", "authorization_credentials")),
    "wecom": ((), ("url", "secret")),
}


def invalid(message: str) -> ApiError:
    return bad_request(f"invalid object specification: {message}")


def not_found(uid: str) -> ApiError:
    return errutil(404, "alerting.notifications.contact-points.notFound", f"Contact point with uid '{uid}' not found")


def shape(point: Json, shown: dict[str, str] | None = None) -> Json:
    """Secrets appear as a placeholder, unless `shown` holds them in the clear."""
    secrets = dict.fromkeys(point["secure"], REDACTED) if shown is None else shown
    return {
        "uid": point["uid"],
        "name": point["name"],
        "type": point["type"],
        "settings": {**point["settings"], **secrets},
        "disableResolveMessage": point["disableResolveMessage"],
        "provenance": point["provenance"],
    }


def decrypted(box: Box, point: Json) -> dict[str, str]:
    return {key: box.decrypt(value) for key, value in point["secure"].items()}


def build(box: Box, body: Body, *, mark: str, before: Json | None = None) -> Json:
    """An integration out of what was sent; a secret that is the placeholder stays what it was."""
    name, kind, uid, settings = body.text("name"), body.text("type"), body.text("uid"), body.object("settings")
    if not name:
        raise invalid("name should not be an empty string")
    if not kind:
        raise invalid("type should not be an empty string")
    if kind not in TYPES:
        raise invalid(f"unknown type '{kind}'")
    if settings is None:
        raise invalid("settings should not be empty")
    if uid and (len(uid) > 40 or not valid_uid(uid)):
        raise invalid("invalid format of UID")
    needed, secret = TYPES[kind]
    plain = {key: value for key, value in settings.items() if key not in secret}
    secure: dict[str, str] = {}
    for key in secret:
        value = settings.get(key)
        if value == REDACTED and before is not None and key in before["secure"]:
            secure[key] = before["secure"][key]
        elif isinstance(value, str) and value:
            secure[key] = box.encrypt(value)
    missing = [key for key in needed if not plain.get(key) and key not in secure]
    if kind == "slack" and not secure and not plain.get("recipient"):
        missing = ["url or token"]
    if missing:
        raise invalid(f'failed to validate integration "{name}" of type "{kind}": could not find {", ".join(missing)} in settings')
    return {
        "uid": uid or (before["uid"] if before else new_uid()),
        "name": name,
        "type": kind,
        "settings": plain,
        "secure": secure,
        "disableResolveMessage": body.flag("disableResolveMessage"),
        "provenance": mark,
    }


def find(configuration: Configuration, uid: str) -> Json | None:
    return next((point for point in configuration.contact_points if point["uid"] == uid), None)


def create(configuration: Configuration, point: Json) -> None:
    other = find(configuration, point["uid"])
    if other is not None:
        raise errutil(
            409,
            "alerting.notifications.contact-points.uidInUse",
            f"uid '{point['uid']}' is already used by contact point '{other['name']}'",
        )
    configuration.contact_points.append(point)


def update(configuration: Configuration, release: Release, before: Json, point: Json) -> bool:
    """Whether the contact point is gone, as its last integration went to another name: what refers to it follows."""
    provenance.check(release, before["provenance"], point["provenance"])
    gone = point["name"] != before["name"] and not any(
        other is not before and other["name"] == before["name"] for other in configuration.contact_points
    )
    if gone:
        for route in configuration.routes():
            if route.get("receiver") == before["name"]:
                route["receiver"] = point["name"]
    configuration.contact_points[configuration.contact_points.index(before)] = point
    return gone


def _check_last(configuration: Configuration, point: Json, rules_using: int = 0) -> None:
    """The last integration of a contact point may not go while something refers to the name."""
    if sum(other["name"] == point["name"] for other in configuration.contact_points) > 1:
        return
    if any(route.get("receiver") == point["name"] for route in configuration.routes()):
        raise errutil(
            409,
            "alerting.notifications.contact-points.referenced",
            f"Contact point '{point['name']}' is currently referenced by a notification policy.",
        )
    if rules_using:
        raise errutil(
            409,
            "alerting.notifications.contact-points.used-by-rule",
            f"Contact point '{point['name']}' is currently used in the notification settings of alert rules.",
        )


def delete(configuration: Configuration, point: Json, rules_using: int) -> None:
    _check_last(configuration, point, rules_using)
    configuration.contact_points.remove(point)


def sorted_points(configuration: Configuration, name: str = "") -> list[Json]:
    found = [point for point in configuration.contact_points if not name or point["name"] == name]
    return sorted(found, key=lambda point: point["name"])
