# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that the modules for Grafana share."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection, choice of objects, and how a tree maps to another Grafana."""

    DOCUMENTATION = r"""
requirements:
  - requests, on the host that runs the module
options:
  url:
    description:
      - Address of Grafana, with its path where it is served below one.
      - Through a load balancer, its cookie keeps the run on one instance, as does the header C(X-Monitoring-HA-Run) through those of the
        role C(monitoring.ha.haproxy); when that one dies, the run goes on with another.
    type: str
    required: true
  user:
    description: User for basic authentication; a server administrator, and a member of each, for several organisations.
    type: str
  password:
    description: The user's password.
    type: str
  token:
    description: Token of a service account, instead of a user. It belongs to one organisation.
    type: str
  ca:
    description: File with the authority to trust. By default those of the system.
    type: path
  certificate:
    description: File with a client certificate to show.
    type: path
  key:
    description: File with its key, where the certificate's file does not have it.
    type: path
  verify:
    description: Whether the server's certificate has to be valid.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for one answer, until all of it is there.
    type: float
    default: 30.0
  time_limit:
    description: Seconds that the whole run may take; V(0) is no limit.
    type: float
    default: 0.0
  retries:
    description:
      - How often a request is repeated when there is no answer, or 429, 500, 502, 503 or 504.
      - A change is repeated only after a look at whether it has happened.
    type: int
    default: 8
  pause:
    description: Seconds before the first repetition; doubled each time up to 15, spread by chance, and at least what the server asks for.
    type: float
    default: 0.25
  max_connections:
    description: Requests at a time.
    type: int
    default: 8
"""

    SELECTION = r"""
options:
  kinds:
    description:
      - Kinds of objects that are meant; none for all but annotations, which have to be named.
      - Annotations are those that people and programs made, not the history of alert rules.
    type: list
    elements: str
    choices:
      - service_accounts
      - teams
      - data_sources
      - folders
      - library_panels
      - dashboards
      - templates
      - mute_timings
      - contact_points
      - notification_policies
      - alert_rules
      - playlists
      - folder_permissions
      - dashboard_permissions
      - preferences
      - annotations
    default: []
  folders:
    description:
      - Folders that are meant, with what is below them, as uids or as titles from the root with C(/) between.
      - With folders, only kinds are meant whose objects are in folders.
      - One that there is in none of the organisations is an error. What reads a tree looks for it there too.
    type: list
    elements: str
    default: []
  names:
    description: Patterns for titles and names, with C(*), C(?) and C([…]), where case matters; one of them has to fit.
    type: list
    elements: str
    default: []
"""

    MAPPING = r"""
options:
  src:
    description: Directory of the tree, on the host that runs the module.
    type: path
    required: true
  organisations:
    description: Names of organisations in the tree; none for all that it holds.
    type: list
    elements: str
    default: []
  organisation_map:
    description:
      - Name of an organisation in the tree to its name in Grafana, where they differ. A name that the tree does not have, and two
        organisations that go to the same one, are refused.
      - With a token, the only organisation of the tree goes to that of the token, whatever its name.
    type: dict
    default: {}
  datasource_map:
    description:
      - Name or uid of a data source in the tree to the name or uid of one that Grafana has.
      - Dashboards, library panels, alert rules and other data sources refer to the latter then, and the former is neither created,
        compared nor deleted.
      - An organisation has to have the latter if its part of the tree has the former, or something that is meant and refers to it.
    type: dict
    default: {}
  inputs:
    description:
      - Values of the inputs (C(__inputs)) of dashboards that were exported for sharing; for data sources, a name or a uid.
      - An input for a data source that is not named here gets the only data source of its type, or the default one; one for expressions
        gets Grafana's own.
      - Dashboards that lie in the tree as an export wrote them are left as they are.
    type: dict
    default: {}
  provenance:
    description:
      - Whether rules, contact points, policies, templates and mute timings may be edited in Grafana's user interface.
      - V(keep) as the tree says, V(api) not, V(none) all of them.
    type: str
    choices: [keep, api, none]
    default: keep
  unknown_users:
    description:
      - What to do about team members, permissions and preferences of users, teams and service accounts that the organisation does not
        have, and that this import does not create.
      - V(fail) names them and writes nothing; V(skip) leaves them out.
    type: str
    choices: [fail, skip]
    default: fail
"""
