"""Alert rules as the provisioning API has them, and their groups."""

from __future__ import annotations

import json

from ..database.dialect import Row
from ..database.session import Session
from ..release import Release
from ..security.tokens import new_uid, valid_uid
from ..settings.settings import Settings
from ..store import folders, quotas
from ..times import format_duration, now_ms, parse_duration, rfc3339
from ..web.binding import Body
from ..web.errors import ApiError, bad_request, errutil
from ..web.message import dumps
from . import provenance
from .configuration import Configuration, Json

BASE_INTERVAL = 10
DEFAULT_INTERVAL = 60
_MAX_NAME, _MAX_UID = 190, 40
_NO_DATA = ("", "Alerting", "NoData", "OK", "KeepLast")
_ERROR = ("", "OK", "Alerting", "Error", "KeepLast")
# What a query gets when it says nothing else.
_MODEL_DEFAULTS = {"intervalMs": 1000, "maxDataPoints": 43200}


def invalid(message: str) -> ApiError:
    return bad_request(f"invalid alert rule: {message}")


def group_not_found() -> ApiError:
    return errutil(404, "alerting.alert-rule.notFound", "rule group does not exist")


def conflict(uid: str, title: str, folder: str) -> ApiError:
    key = f"{{UID: {uid}, Title: {title}, FolderUID: {folder}}}"
    return bad_request(
        f"[alerting.alert-rule.conflict] conflicting alert rule found: {key}: rule UID and title in a folder have to be unique"
    )


def shape(row: Row) -> Json:
    data = json.loads(row["data"])
    return {
        "id": row["id"],
        "uid": row["uid"],
        "orgID": row["org_id"],
        "folderUID": row["folder_uid"],
        "ruleGroup": row["rule_group"],
        "title": row["title"],
        "updated": rfc3339(row["updated"]),
        "provenance": row["provenance"],
        **data,
    }


def find(session: Session, org_id: int, uid: str) -> Row | None:
    return session.row('SELECT * FROM "alert_rule" WHERE "org_id" = ? AND "uid" = ?', org_id, uid)


def in_group(session: Session, org_id: int, folder_uid: str, group: str) -> list[Row]:
    sql = 'SELECT * FROM "alert_rule" WHERE "org_id" = ? AND "folder_uid" = ? AND "rule_group" = ? ORDER BY "position", "id"'
    return session.rows(sql, org_id, folder_uid, group)


def every(session: Session, org_id: int) -> list[Row]:
    return session.rows('SELECT * FROM "alert_rule" WHERE "org_id" = ? ORDER BY "folder_uid", "rule_group", "position", "id"', org_id)


def count_using(session: Session, org_id: int, receiver: str = "", interval: str = "") -> int:
    """How many rules name a receiver or a time interval in their own notification settings."""
    found = 0
    for text in session.column('SELECT "data" FROM "alert_rule" WHERE "org_id" = ? AND "data" LIKE ?', org_id, "%notification_settings%"):
        settings = json.loads(text).get("notification_settings") or {}
        timings = [*(settings.get("mute_time_intervals") or []), *(settings.get("active_time_intervals") or [])]
        found += bool(receiver and settings.get("receiver") == receiver) or bool(interval and interval in timings)
    return found


def rename_receiver(session: Session, org_id: int, old: str, new: str) -> None:
    """Rules that name a receiver in their own notification settings follow it to its new name."""
    sql = 'SELECT * FROM "alert_rule" WHERE "org_id" = ? AND "data" LIKE ?'
    for row in session.rows(sql, org_id, "%notification_settings%"):
        data = json.loads(row["data"])
        if (data.get("notification_settings") or {}).get("receiver") == old:
            data["notification_settings"]["receiver"] = new
            write(session, row, {"data": dumps(data)})


def _duration(body: Body, key: str) -> str | None:
    if key not in body:
        return None
    try:
        return format_duration(parse_duration(body.text(key)))
    except ValueError as error:
        raise bad_request(f"bad request data: {error}") from error


def _queries(body: Body) -> list[Json]:
    found = []
    refs: set[str] = set()
    for query in body.objects("data"):
        ref, span = query.text("refId"), Body(query.object("relativeTimeRange") or {})
        model = query.object("model")
        if not ref or ref in refs:
            raise invalid(f"queries need a refId of their own: {ref!r}")
        if not query.text("datasourceUid"):
            raise invalid(f"query {ref} has no data source")
        refs.add(ref)
        model = {**_MODEL_DEFAULTS, **{key: value for key, value in (model or {}).items() if value or key not in _MODEL_DEFAULTS}}
        found.append(
            {
                "refId": ref,
                "queryType": model["queryType"] if isinstance(model.get("queryType"), str) else query.text("queryType"),
                "relativeTimeRange": {"from": span.integer("from"), "to": span.integer("to")},
                "datasourceUid": query.text("datasourceUid"),
                "model": model,
            }
        )
    return found


def content(body: Body, configuration: Configuration) -> Json:
    """What a rule consists of besides its place, if it is acceptable."""
    data, condition = _queries(body), body.text("condition")
    record = body.object("record")
    refs = [query["refId"] for query in data]
    if not data:
        raise invalid("no queries or expressions are found")
    if record is None and condition not in refs:
        raise invalid(f"condition {condition} does not exist, must be one of {refs}")
    no_data, error = body.text("noDataState"), body.text("execErrState")
    if no_data not in _NO_DATA:
        raise invalid(f"unknown NoData state option {no_data}")
    if error not in _ERROR:
        raise invalid(f"unknown Error state option {error}")
    rule: Json = {
        "condition": condition,
        "data": data,
        "noDataState": no_data or "NoData",
        "execErrState": error or "Error",
        "for": _duration(body, "for") or "0s",
        "annotations": body.text_map("annotations"),
        "labels": body.text_map("labels"),
        "isPaused": body.flag("isPaused"),
    }
    if keep := _duration(body, "keep_firing_for"):
        rule["keep_firing_for"] = keep
    if missing := body.integer("missingSeriesEvalsToResolve"):
        if missing < 1:
            raise invalid("missingSeriesEvalsToResolve must be greater than 0")
        rule["missingSeriesEvalsToResolve"] = missing
    if settings := body.object("notification_settings"):
        rule["notification_settings"] = _notification_settings(Body(settings), configuration)
    if record is not None:
        read = Body(record)
        if not read.text("metric") or read.text("from") not in refs:
            raise invalid("a recording rule needs a metric and the query it comes from")
        rule["record"] = {key: read.text(key) for key in ("metric", "from", "target_datasource_uid") if read.text(key)}
    return rule


def _notification_settings(settings: Body, configuration: Configuration) -> Json:
    if settings.text("receiver") not in configuration.receivers:
        raise invalid(f"receiver {settings.text('receiver')} does not exist")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in settings.texts(key):
            if name not in configuration.interval_names:
                raise invalid(f"mute time interval {name} does not exist")
    settings.texts("group_by")
    for key in ("group_wait", "group_interval", "repeat_interval"):
        _duration(settings, key)
    return {key: value for key, value in settings.fields.items() if value}


class Place:
    """Where a rule is to stand, if it may."""

    def __init__(self, session: Session, org_id: int, folder_uid: str, group: str) -> None:
        if not folder_uid:
            raise invalid("folderUID must be set")
        if not group or len(group) > _MAX_NAME:
            raise invalid("rule group name must be between 1 and 190 characters long")
        if not folders.exists(session, org_id, folder_uid):
            raise invalid("folder does not exist")
        self.org_id, self.folder_uid, self.group = org_id, folder_uid, group


def _checked_names(body: Body) -> tuple[str, str]:
    uid, title = body.text("uid"), body.text("title")
    if not title or len(title) > _MAX_NAME:
        raise invalid("title must be between 1 and 190 characters long")
    if uid and (len(uid) > _MAX_UID or not valid_uid(uid)):
        raise invalid(f"uid {uid!r} is not acceptable")
    return uid, title


def _check_title(session: Session, release: Release, place: Place, uid: str, title: str) -> None:
    if not release.rule_titles_unique:
        return
    sql = 'SELECT count(*) FROM "alert_rule" WHERE "org_id" = ? AND "folder_uid" = ? AND "title" = ? AND "uid" <> ?'
    if session.value(sql, place.org_id, place.folder_uid, title, uid):
        raise conflict(uid, title, place.folder_uid)


def check_same_mark(rows: list[Row], mark: str) -> None:
    if any(row["provenance"] != mark for row in rows):
        raise bad_request("invalid alert rule: a rule group cannot hold rules of different provenance")


def create(session: Session, release: Release, settings: Settings, configuration: Configuration, body: Body, mark: str) -> Row:
    uid, title = _checked_names(body)
    place = Place(session, configuration.org_id, body.text("folderUID"), body.text("ruleGroup"))
    rule = content(body, configuration)
    if uid and find(session, place.org_id, uid) is not None:
        raise conflict(uid, title, place.folder_uid)
    _check_title(session, release, place, "", title)
    quotas.check(session, settings, place.org_id, "alert_rule")
    siblings = in_group(session, place.org_id, place.folder_uid, place.group)
    check_same_mark(siblings, mark)
    interval = siblings[0]["interval_seconds"] if siblings else DEFAULT_INTERVAL
    return insert(session, place, uid or new_uid(), title, rule, len(siblings) + 1, interval, mark)


def insert(session: Session, place: Place, uid: str, title: str, rule: Json, position: int, interval: int, mark: str) -> Row:
    row: Row = {
        "org_id": place.org_id,
        "uid": uid,
        "title": title,
        "folder_uid": place.folder_uid,
        "rule_group": place.group,
        "position": position,
        "interval_seconds": interval,
        "provenance": mark,
        "version": 1,
        "data": dumps(rule),
        "updated": now_ms(),
    }
    return {**row, "id": session.insert("alert_rule", **row)}


def update(session: Session, release: Release, configuration: Configuration, row: Row, body: Body, mark: str) -> Row:
    provenance.check(release, row["provenance"], mark)
    _, title = _checked_names(body)
    place = Place(session, row["org_id"], body.text("folderUID"), body.text("ruleGroup"))
    rule = content(body, configuration)
    _check_title(session, release, place, row["uid"], title)
    siblings = [other for other in in_group(session, place.org_id, place.folder_uid, place.group) if other["uid"] != row["uid"]]
    check_same_mark(siblings, mark)
    moved = (place.folder_uid, place.group) != (row["folder_uid"], row["rule_group"])
    values: Row = {"title": title, "folder_uid": place.folder_uid, "rule_group": place.group, "provenance": mark, "data": dumps(rule)}
    if moved:
        values |= {
            "position": len(siblings) + 1,
            "interval_seconds": siblings[0]["interval_seconds"] if siblings else row["interval_seconds"],
        }
    return write(session, row, values)


def write(session: Session, row: Row, values: Row) -> Row:
    values = {**values, "version": row["version"] + 1, "updated": now_ms()}
    session.update("alert_rule", {"id": row["id"]}, **values)
    return {**row, **values}


def checked_interval(seconds: int) -> int:
    if seconds <= 0 or seconds % BASE_INTERVAL:
        raise bad_request(
            f"invalid alert rule: interval ({seconds}s) should be non-zero and divided exactly by scheduler interval: {BASE_INTERVAL}s"
        )
    return seconds


def replace_group(
    session: Session,
    release: Release,
    settings: Settings,
    configuration: Configuration,
    folder_uid: str,
    group: str,
    interval: int,
    rules: list[Body] | None,
    mark: str,
    *,
    by_file: bool = False,
) -> list[Row]:
    """Makes a group consist of exactly these rules; without a list only its interval changes."""
    org_id = configuration.org_id
    place = Place(session, org_id, folder_uid, group)
    checked_interval(interval)
    before = in_group(session, org_id, folder_uid, group)
    if not by_file:
        for row in before:
            provenance.check_group(release, row["provenance"], mark)
    if rules is None:
        if not before:
            raise group_not_found()
        return [write(session, row, {"interval_seconds": interval, "provenance": mark}) for row in before]
    # Files keep a rule that another file has put into the same group.
    kept = {uid for uid in (body.text("uid") for body in rules) if uid}
    if not by_file:
        for row in before:
            if row["uid"] not in kept:
                session.delete("alert_rule", id=row["id"])
    names = [_checked_names(body) for body in rules]
    same = release.rule_titles_unique and len({title for _, title in names}) != len(names)
    if same or len(kept) != sum(bool(uid) for uid, _ in names):
        raise conflict("", "", folder_uid)
    # Titles may be swapped among the rules: none of the old ones is in the way.
    for uid in kept:
        session.update("alert_rule", {"org_id": org_id, "uid": uid}, title=f"{uid}\x01")
    written = []
    for position, ((uid, title), body) in enumerate(zip(names, rules, strict=True), 1):
        rule = content(body, configuration)
        _check_title(session, release, place, uid, title)
        known = find(session, org_id, uid) if uid else None
        if known is None:
            quotas.check(session, settings, org_id, "alert_rule")
            written.append(insert(session, place, uid or new_uid(), title, rule, position, interval, mark))
            continue
        if not by_file:
            provenance.check_group(release, known["provenance"], mark)
        values = {"title": title, "folder_uid": folder_uid, "rule_group": group, "position": position, "interval_seconds": interval}
        written.append(write(session, known, {**values, "provenance": mark, "data": dumps(rule)}))
    return written


def delete_group(session: Session, release: Release, org_id: int, folder_uid: str, group: str, mark: str) -> None:
    rows = in_group(session, org_id, folder_uid, group)
    if not rows:
        raise group_not_found()
    for row in rows:
        provenance.check_group(release, row["provenance"], mark)
        session.delete("alert_rule", id=row["id"])
