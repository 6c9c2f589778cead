"""Alerting from files. What a file no longer names stays; the delete and reset forms take it away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..alerting import contact_points, policies, provenance, rules, templates
from ..alerting.configuration import Configuration, reset_policy
from ..alerting.provenance import FILE
from ..database.session import Session
from ..store.folders import Author
from ..times import parse_duration
from ..web.binding import Body, Json
from ..web.errors import ApiError
from .dashboards import folder_by_title
from .files import ProvisioningError, org_of, read, reason

if TYPE_CHECKING:
    from ..application import Application

_RENAMED = {"keepFiringFor": "keep_firing_for", "missing_series_evals_to_resolve": "missingSeriesEvalsToResolve"}


def provision(app: Application, session: Session, directory: Path) -> None:
    try:
        documents = [body for _, body in read(directory / "alerting", "provisioning.alerting")]
        if documents:
            _Run(app, session, documents).apply()
    except ApiError as error:
        raise ProvisioningError(f"Failed to provision alerting: {reason(error)}") from error
    except ValueError as error:
        raise ProvisioningError(f"Failed to provision alerting: {error}") from error
    except ProvisioningError as error:
        raise ProvisioningError(f"Failed to provision alerting: {error}") from error


class _Run:
    def __init__(self, app: Application, session: Session, documents: list[Body]) -> None:
        self._app = app
        self._session = session
        self._documents = documents
        self._configurations: dict[int, Configuration] = {}

    def _items(self, key: str) -> list[Body]:
        return [item for body in self._documents for item in body.objects(key)]

    def _of(self, org_id: int) -> Configuration:
        if org_id not in self._configurations:
            if self._session.value('SELECT count(*) FROM "org" WHERE "id" = ?', org_id) == 0:
                raise ProvisioningError(f"org with id {org_id} not found")
            self._configurations[org_id] = Configuration.load(self._session, org_id, lock=True)
        return self._configurations[org_id]

    def apply(self) -> None:
        """What is referred to comes before what refers to it, and goes after."""
        for item in self._items("templates"):
            self._template(self._of(org_of(item)), item)
        for item in self._items("muteTimes"):
            self._mute_time(self._of(org_of(item)), item)
        for item in self._items("contactPoints"):
            self._contact_point(self._of(org_of(item)), item)
        for item in self._items("policies"):
            configuration = self._of(org_of(item))
            tree = Body({key: value for key, value in item.fields.items() if key not in ("orgId", "name")})
            configuration.policy, configuration.policy_provenance = policies.checked(tree, configuration), FILE
        for body in self._documents:
            for org_id in body.items("resetPolicies"):
                reset_policy(self._of(int(org_id)))
        self._rules()
        self._delete()
        for configuration in self._configurations.values():
            configuration.save(self._session, self._app)

    def _template(self, configuration: Configuration, item: Body) -> None:
        name = item.text("name")
        made = {"name": name, "template": templates.normalized(name, item.text("template")), "provenance": FILE}
        before = templates.find(configuration.templates, name)
        if before is None:
            configuration.templates.append(made)
        else:
            configuration.templates[configuration.templates.index(before)] = made

    def _mute_time(self, configuration: Configuration, item: Body) -> None:
        made = templates.build_timing(item.text("name"), item, FILE)
        before = templates.find(configuration.mute_timings, made["name"])
        if before is None:
            configuration.mute_timings.append(made)
        else:
            configuration.mute_timings[configuration.mute_timings.index(before)] = made

    def _contact_point(self, configuration: Configuration, item: Body) -> None:
        for receiver in item.objects("receivers"):
            if not receiver.text("uid"):
                raise ProvisioningError(f"contact point {item.text('name')!r}: a receiver needs a uid")
            receiver.fields["name"] = item.text("name")
            made = contact_points.build(self._app.box, receiver, mark=FILE)
            before = contact_points.find(configuration, made["uid"])
            if before is None:
                configuration.contact_points.append(made)
            else:
                configuration.contact_points[configuration.contact_points.index(before)] = made

    def _rules(self) -> None:
        author = Author(0, self._app.node)
        for group in self._items("groups"):
            configuration = self._of(org_of(group))
            # Rules are checked against what the files make of the configuration.
            folder = folder_by_title(self._app, self._session, configuration.org_id, author, group.text("folder"), group.text("folderUid"))
            rules.replace_group(
                self._session,
                self._app.release,
                self._app.settings,
                configuration,
                folder,
                group.text("name"),
                parse_duration(str(group.fields.get("interval") or "1m")),
                [_rule(item) for item in group.objects("rules")],
                FILE,
                by_file=True,
            )

    def _delete(self) -> None:
        for item in self._items("deleteRules"):
            self._session.delete("alert_rule", org_id=org_of(item), uid=item.text("uid"))
        for item in self._items("deleteContactPoints"):
            configuration = self._of(org_of(item))
            point = contact_points.find(configuration, item.text("uid"))
            if point is not None:
                using = rules.count_using(self._session, configuration.org_id, receiver=point["name"])
                contact_points.delete(configuration, point, using)
        for item in self._items("deleteTemplates"):
            configuration = self._of(org_of(item))
            templates.delete_template(configuration, self._app.release, item.text("name"), _mark(configuration.templates, item), "")
        for item in self._items("deleteMuteTimes"):
            configuration = self._of(org_of(item))
            name = item.text("name")
            using = rules.count_using(self._session, configuration.org_id, interval=name)
            templates.delete_timing(configuration, self._app.release, name, _mark(configuration.mute_timings, item), "", using)


def _mark(items: list[Json], wanted: Body) -> str:
    """Files may delete whatever made it."""
    found = templates.find(items, wanted.text("name"))
    return str(found["provenance"]) if found else provenance.NONE


def _rule(item: Body) -> Body:
    """A rule of a file in the form of the API."""
    fields: Json = {_RENAMED.get(key, key): value for key, value in item.fields.items()}
    annotations = {key: str(value) for key, value in (item.object("annotations") or {}).items()}
    if item.fields.get("dashboardUid"):
        annotations |= {"__dashboardUid__": item.text("dashboardUid"), "__panelId__": str(item.fields.get("panelId", ""))}
    fields["annotations"] = annotations
    fields["labels"] = {key: str(value) for key, value in (item.object("labels") or {}).items()}
    for key in ("for", "keep_firing_for"):
        if key in fields:
            fields[key] = str(fields[key])
    record = item.object("record")
    if record:
        fields["record"] = {("target_datasource_uid" if key == "targetDatasourceUid" else key): value for key, value in record.items()}
    return Body(fields)
