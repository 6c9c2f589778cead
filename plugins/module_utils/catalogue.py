# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalogue: each component described once.

HAProxy's back ends, the stack's scrape jobs, pre-flight checks, gates and the
reference table of the documentation are derived from this module. Ports are
defaults; an inventory overrides one with ``<component>_<port>_port``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .grafana import RUN_HEADER

Transport = Literal["tcp", "udp"]
Scope = Literal["network", "loopback"]
Security = Literal["mtls", "secret", "vrrp", "none"]
Cardinality = Literal["replicas", "quorum", "singleton", "all"]


@dataclass(frozen=True)
class Port:
    """A listening socket.

    scope: ``network`` listens on the host's address, ``loopback`` on 127.0.0.1 only.
    security: how a peer proves itself: ``mtls`` a client certificate of the stack's CA,
    ``secret`` a shared secret inside its own encrypted protocol.
    """

    number: int
    scope: Scope = "network"
    security: Security = "mtls"
    transports: tuple[Transport, ...] = ("tcp",)
    scheme: str = "https"


@dataclass(frozen=True)
class Frontend:
    """What HAProxy publishes on the virtual address for a component.

    Several components may offer the same front end; of those that the inventory
    has, the one with the lowest ``rank`` is behind it.
    number: port on the virtual address. port: name of the members' port. mode: ``http`` or ``tcp``.
    users: people log in with a password (``haproxy_users``); members of the stack with their certificate.
    client_certificate: certificates only. check: path that a healthy member answers with ``check_status``, at the
    members' port ``check_port``, by default the one that takes the traffic. check_body: what has to be in that
    answer, a regular expression. check_method: ``HEAD`` where a daemon
    takes it amiss that the check does not read its answer to the end.
    one_writer: only the first healthy member takes traffic. reads: paths whose POST changes nothing, so that
    it may be tried again on another member like a GET. repeatable: further methods that may, as doing it twice is
    doing it once. own_login: the members know their users themselves; guarded is a path that they refuse to anybody
    else. members_only: beginnings of paths for which a password is not enough. together: header whose value keeps a
    client's requests on one member, for as long as that one is there. partial: it is all right that members fail the
    check, as those are not meant to take traffic now. title: for people.
    """

    name: str
    number: int
    title: str
    port: str = "http"
    mode: Literal["http", "tcp"] = "http"
    users: bool = True
    client_certificate: bool = False
    check: str = "/-/ready"
    check_status: str = "200"
    check_port: str = ""
    check_body: str = ""
    check_method: Literal["GET", "HEAD"] = "GET"
    one_writer: bool = False
    partial: bool = False
    reads: tuple[str, ...] = ()
    repeatable: tuple[str, ...] = ()
    own_login: bool = False
    guarded: str = ""
    members_only: tuple[str, ...] = ()
    together: str = ""
    rank: int = 0


@dataclass(frozen=True)
class Upstream:
    """A way to a component for its clients inside the stack: through a proxy on their own host's loopback.

    A client that holds a connection to a host that vanishes waits for its
    kernel to give up. The proxy checks every second, and ends such a connection
    after 1.5 s. It hands bytes on: TLS and certificates are the client's own.
    each: one way for each member, instead of one for whichever is healthy. leaving: also to hosts that leave (``ha_removed_hosts``),
    as long as the inventory has them: the others need what they hold.
    near: the member on the client's own host first. port, check: name of the
    members' port, and (name of the port, path) to check with ``check_method``. one_writer: as a front end's.
    cut: connections to a member that fails its check are ended, as its clients would wait for one that hangs;
    always where there is one writer, as it may be that no more, and where there is a ``check_body``, as it answers without what it lacks.
    clients: components on whose hosts it is needed, by default all. tls: the proxy speaks TLS with the host's
    certificate, for clients that cannot or should not have it. check_body: as a front end's.
    """

    name: str
    port: str
    check: tuple[str, str]
    check_method: Literal["GET", "HEAD"] = "GET"
    check_body: str = ""
    each: bool = False
    leaving: bool = False
    near: bool = True
    one_writer: bool = False
    cut: bool = False
    clients: tuple[str, ...] = ()
    tls: bool = False


@dataclass(frozen=True)
class Secret:
    """A variable that has to hold a secret. pattern: what it looks like, a regular expression. remedy: how to make one."""

    variable: str
    pattern: str = r".{16,}"
    remedy: str = "give it at least 16 random characters"


@dataclass(frozen=True)
class Backup:
    """How what a component keeps outlives its hosts. how: for people. job: the component that sees to it, empty for none."""

    how: str
    job: str = ""


@dataclass(frozen=True)
class Component:
    """One daemon of the stack.

    group: inventory group whose hosts run it; beside: instead, components whose hosts do. metrics: (port name, path).
    minimum: members below which it is not highly available. data, config: its directories. program: that of a program of ours
    beside it, with its settings.
    helpers: units beside its own. backup: of what it keeps; None where that is nothing, or nobody saves it yet. secrets: variables
    without which it does not start, or not safely. release: its name in the lock file; empty for a package. The variable
    ``<role>_version`` chooses the version. snapshot: shell words that set its data aside while it runs, from ``$DATA`` into
    the empty directory ``$INTO`` below it. renewal: it takes a restart for a new certificate, which the others read anew by
    themselves or when they are reloaded. intrudes: left running on a host that is no member any more, it would work against the
    members: hold their address, compact beside them, write, or lead where nobody looks.
    """

    name: str
    title: str
    group: str
    role: str
    unit: str
    user: str
    ports: dict[str, Port] = field(default_factory=dict)
    metrics: tuple[str, str] | None = None
    cardinality: Cardinality = "replicas"
    minimum: int = 1
    stateful: bool = False
    data: str = ""
    config: str = ""
    program: str = ""
    frontends: tuple[Frontend, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    beside: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    backup: Backup | None = None
    release: str = ""
    snapshot: str = ""
    renewal: bool = False
    intrudes: bool = False

    @property
    def majority(self) -> bool:
        """Whether it works only while most of its members do: what agrees by vote, and what keeps three copies of everything."""
        return self.cardinality == "quorum" or self.minimum >= 3

    def as_dict(self) -> dict[str, Any]:
        """Plain data for templates."""
        return asdict(self)


#: Paths of the query API whose POST only reads.
QUERIES = ("/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/series", "/api/v1/labels", "/api/v1/format_query")
#: What an engine says of its stores, without asking them. A query frontend fetches it from an engine, and not by a query, which would have
#: to wait behind those that wait for a hung store: one that reaches no engine would leave its clients waiting.
STORES = "/api/v1/stores"
#: In it when the engine reaches a sidecar; or a store, where it knows of no sidecar (it forgets one that is gone for
#: ``thanos_query_wait``). Whoever has lost them is ready all the same, and answers without what is recent. Kinds are in the order
#: of their names. No groups that repeat: HAProxy has little room for those.
STORE_REACHED = "|".join(
    (
        r'^(?!.*"sidecar":\[).*"lastError":null',
        r'"sidecar":\[.*"lastError":null.*"store":\[',
        r'^(?!.*"store":\[).*"sidecar":\[.*"lastError":null',
    )
)


def _loopback(number: int) -> Port:
    return Port(number, scope="loopback", security="none", scheme="http")


COMPONENTS: dict[str, Component] = {
    c.name: c
    for c in (
        Component(
            "node_exporter",
            "Node exporter",
            "monitored",
            "node_exporter",
            "node_exporter.service",
            "node-exporter",
            ports={"http": Port(9100)},
            metrics=("http", "/metrics"),
            cardinality="all",
            config="/etc/node_exporter",
            release="node_exporter",
        ),
        Component(
            "prometheus",
            "Prometheus",
            "prometheus",
            "prometheus",
            "prometheus.service",
            "prometheus",
            ports={"http": Port(9090)},
            metrics=("http", "/metrics"),
            stateful=True,
            data="/var/lib/prometheus",
            config="/etc/prometheus",
            release="prometheus",
            backup=Backup("blocks are copied to the object store as they are finished", "thanos_sidecar"),
            minimum=2,
            upstreams=(Upstream("replica", "http", ("http", "/-/ready"), each=True, near=False, clients=("grafana",), tls=True),),
            # Blocks and closed segments of the log never change: a second name costs no space until the first one goes.
            snapshot='find "$DATA" -maxdepth 1 \\( -name "01*" -o -name wal -o -name chunks_head \\) -exec cp -al -t "$INTO" {} +',
            # Without Thanos nothing deduplicates: one replica answers, the other stands by.
            frontends=(
                Frontend(
                    "query",
                    9090,
                    "Queries (Prometheus)",
                    one_writer=True,
                    reads=QUERIES,
                    members_only=("/api/v1/admin", "/-/quit", "/-/reload"),
                    rank=2,
                ),
            ),
        ),
        Component(
            "alertmanager",
            "Alertmanager",
            "alertmanager",
            "alertmanager",
            "alertmanager.service",
            "alertmanager",
            ports={"http": Port(9093), "cluster": Port(9094)},
            metrics=("http", "/metrics"),
            # A member that dials one that has vanished says nothing to the others for ten seconds.
            upstreams=(Upstream("mesh", "cluster", ("http", "/-/healthy"), each=True, near=False),),
            stateful=True,
            data="/var/lib/alertmanager",
            config="/etc/alertmanager",
            release="alertmanager",
            minimum=2,
            snapshot='find "$DATA" -mindepth 1 -maxdepth 1 -type f -exec cp -a -t "$INTO" {} +',
            frontends=(Frontend("alertmanager", 9093, "Alertmanager"),),
        ),
        Component(
            "thanos_sidecar",
            "Thanos sidecar",
            "prometheus",
            "thanos",
            "thanos-sidecar.service",
            "prometheus",
            ports={"http": Port(10902), "grpc": Port(10901, scheme="grpcs")},
            metrics=("http", "/metrics"),
            config="/etc/thanos-sidecar",
            upstreams=(Upstream("store", "grpc", ("http", "/-/ready"), each=True, near=False),),
            release="thanos",
            # Its client of Prometheus loses the authority with a new certificate (Thanos issue 8969, up to 0.42).
            renewal=True,
        ),
        Component(
            "thanos_query",
            "Thanos query",
            "thanos_query",
            "thanos",
            "thanos-query.service",
            "thanos",
            ports={"http": Port(10904), "grpc": Port(10903, scheme="grpcs")},
            metrics=("http", "/metrics"),
            config="/etc/thanos-query",
            upstreams=(
                Upstream("query_engine", "http", ("http", STORES), check_body=STORE_REACHED),
                Upstream("queries_engine", "http", ("http", STORES), check_body=STORE_REACHED, clients=("grafana",), tls=True),
            ),
            release="thanos",
            minimum=2,
            frontends=(Frontend("query", 9090, "Queries (Thanos)", check=STORES, check_body=STORE_REACHED, reads=QUERIES, rank=1),),
        ),
        Component(
            "thanos_query_frontend",
            "Thanos query frontend",
            "thanos_query_frontend",
            "thanos",
            "thanos-query-frontend.service",
            "thanos",
            ports={"http": Port(10908)},
            metrics=("http", "/metrics"),
            config="/etc/thanos-query-frontend",
            release="thanos",
            minimum=2,
            upstreams=(Upstream("queries", "http", ("http", STORES), check_body=STORE_REACHED, clients=("grafana",), tls=True),),
            frontends=(Frontend("query", 9090, "Queries (Thanos)", check=STORES, check_body=STORE_REACHED, reads=QUERIES),),
        ),
        Component(
            "thanos_store",
            "Thanos store gateway",
            "thanos_store",
            "thanos",
            "thanos-store.service",
            "thanos",
            ports={"http": Port(10906), "grpc": Port(10905, scheme="grpcs")},
            metrics=("http", "/metrics"),
            minimum=2,
            data="/var/lib/thanos-store",
            config="/etc/thanos-store",
            upstreams=(Upstream("store", "grpc", ("http", "/-/ready"), each=True, near=False),),
            release="thanos",
        ),
        Component(
            "thanos_compact",
            "Thanos compactor",
            "thanos_compact",
            "thanos",
            "thanos-compact.service",
            "thanos",
            ports={"http": Port(10912)},
            metrics=("http", "/metrics"),
            cardinality="singleton",
            intrudes=True,
            data="/var/lib/thanos-compact",
            config="/etc/thanos-compact",
            release="thanos",
        ),
        Component(
            "object_store",
            "Garage object store",
            "object_store",
            "object_store",
            "garage.service",
            "garage",
            ports={
                # Garage speaks neither TLS nor client certificates: a TLS proxy beside it does.
                "s3": Port(3900),
                "rpc": Port(3901, security="secret", scheme="rpc"),
                "rpc_local": Port(3911, scope="loopback", security="secret", scheme="rpc"),
                "s3_local": _loopback(3910),
                "admin_local": _loopback(3903),
            },
            metrics=("s3", "/metrics"),
            secrets=(
                Secret("object_store_rpc_secret", r"[0-9a-f]{64}", "set it to 64 hexadecimal digits (openssl rand -hex 32)"),
                Secret("object_store_admin_token"),
            ),
            stateful=True,
            helpers=("garage-tls.service",),
            data="/var/lib/garage",
            config="/etc/garage",
            upstreams=(
                Upstream("s3", "s3", ("s3", "/health")),
                # Its nodes would take over a minute to notice that one has vanished or hangs, and wait for it meanwhile.
                Upstream("rpc", "rpc", ("s3", "/alive"), each=True, leaving=True, near=False, cut=True),
            ),
            release="garage",
            # What it keeps where; the blocks themselves are replicated and never change.
            snapshot="/opt/monitoring-ha/garage/current/garage --config /etc/garage/garage.toml meta snapshot"
            r""" && cd "$(sed -n 's/^metadata_dir = "\(.*\)"/\1/p' /etc/garage/garage.toml)/snapshots" """
            """&& cp -a -t "$INTO" $(ls | tail -n 1)""",
            minimum=3,
            frontends=(
                Frontend(
                    "s3",
                    3900,
                    "Object store (S3)",
                    port="s3",
                    users=False,
                    client_certificate=True,
                    check="/health",
                    # A node whose connections to the others are made anew says for a second that it reaches no quorum.
                    repeatable=("PUT", "DELETE"),
                ),
            ),
        ),
        Component(
            "etcd",
            "etcd",
            "etcd",
            "etcd",
            "etcd.service",
            "etcd",
            ports={"client": Port(2379), "peer": Port(2380)},
            metrics=("client", "/metrics"),
            cardinality="quorum",
            minimum=3,
            stateful=True,
            data="/var/lib/etcd",
            config="/etc/monitoring-ha/etcd",
            secrets=(Secret("etcd_root_password"),),
        ),
        Component(
            "postgresql",
            "PostgreSQL (Patroni)",
            "postgresql",
            "postgresql",
            "patroni.service",
            "postgres",
            ports={"sql": Port(5432, security="secret", scheme="postgresql"), "rest": Port(8008)},
            metrics=("rest", "/metrics"),
            minimum=2,
            stateful=True,
            helpers=("patroni-room.service",),
            intrudes=True,
            data="/var/lib/postgresql",
            config="/etc/monitoring-ha/patroni",
            # Patroni answers on one member only: the one that holds the leader's lock.
            upstreams=(Upstream("sql", "sql", ("rest", "/primary"), "HEAD", one_writer=True),),
            secrets=(Secret("postgresql_etcd_password"), Secret("postgresql_replication_password"), Secret("postgresql_rest_password")),
            frontends=(
                Frontend(
                    "postgresql",
                    5432,
                    "PostgreSQL (leader)",
                    port="sql",
                    mode="tcp",
                    users=False,
                    check="/primary",
                    check_port="rest",
                    check_method="HEAD",
                    partial=True,
                    one_writer=True,
                ),
                Frontend(
                    "postgresql_read",
                    5433,
                    "PostgreSQL (read-only)",
                    port="sql",
                    mode="tcp",
                    users=False,
                    check="/replica?lag=16MB",
                    check_port="rest",
                    check_method="HEAD",
                    partial=True,
                ),
            ),
        ),
        Component(
            "postgres_exporter",
            "PostgreSQL exporter",
            "postgresql",
            "postgresql",
            "prometheus-postgres-exporter.service",
            "postgres_exporter",
            ports={"http": Port(9187)},
            metrics=("http", "/metrics"),
            config="/etc/monitoring-ha/postgres_exporter",
        ),
        Component(
            "mariadb",
            "MariaDB (Galera)",
            "mariadb",
            "mariadb",
            "mariadb.service",
            "mysql",
            ports={
                "sql": Port(3306, security="secret", scheme="mysql"),
                "replication": Port(4567, scheme="galera"),
                "catch_up": Port(4568, scheme="galera"),
                "copy": Port(4444, scheme="galera"),
                # Of the daemon beside it, which knows who writes.
                "health": Port(9105),
            },
            metrics=("health", "/metrics"),
            cardinality="quorum",
            minimum=3,
            stateful=True,
            helpers=("galera-member.service",),
            intrudes=True,
            data="/var/lib/mysql",
            config="/etc/monitoring-ha/mariadb",
            program="/etc/monitoring-ha/galera",
            # One member says that it is the writer: the one that all of them have recorded.
            upstreams=(Upstream("mysql", "sql", ("health", "/writer"), "HEAD", one_writer=True),),
            frontends=(
                Frontend(
                    "mariadb",
                    3306,
                    "MariaDB (writer)",
                    port="sql",
                    mode="tcp",
                    users=False,
                    check="/writer",
                    check_port="health",
                    check_method="HEAD",
                    partial=True,
                    one_writer=True,
                ),
            ),
        ),
        Component(
            "mysqld_exporter",
            "MariaDB exporter",
            "mariadb",
            "mariadb",
            "prometheus-mysqld-exporter.service",
            "mysqld_exporter",
            ports={"http": Port(9104)},
            metrics=("http", "/metrics"),
            config="/etc/monitoring-ha/mysqld_exporter",
        ),
        Component(
            "grafana",
            "Grafana",
            "grafana",
            "grafana",
            "grafana.service",
            "grafana",
            ports={
                # Grafana asks nobody for a certificate and its mesh is plain text: a TLS proxy beside it does both.
                "http": Port(3000),
                "cluster": Port(9096),
                "http_local": _loopback(3001),
                "cluster_local": Port(9097, scope="loopback", security="none", transports=("tcp", "udp"), scheme="tcp"),
            },
            metrics=("http", "/metrics"),
            minimum=2,
            helpers=("grafana-tls.service",),
            data="/var/lib/grafana",
            config="/etc/grafana",
            upstreams=(Upstream("grafana_mesh", "cluster", ("http", "/healthz"), each=True, near=False, clients=("grafana",), tls=True),),
            secrets=(
                Secret("grafana_secret_key"),
                Secret("grafana_admin_password", r".{12,}", "give it at least 12 characters"),
            ),
            backup=Backup("what its API gives, as files in Git", "grafana_backup"),
            release="grafana",
            frontends=(
                Frontend(
                    "grafana",
                    3000,
                    "Grafana",
                    users=False,
                    own_login=True,
                    check="/api/health",
                    guarded="/api/org",
                    reads=("/api/ds/query",),
                    together=RUN_HEADER,
                ),
            ),
        ),
        Component(
            "grafana_backup",
            "Backup of Grafana",
            "backup",
            "backup",
            "monitoring-ha-backup.timer",
            "monitoring-ha-backup",
            ports={},
            # One works, and another one takes over.
            minimum=2,
            helpers=("monitoring-ha-backup.service",),
            data="/var/lib/monitoring-ha-backup",
            config="/etc/monitoring-ha/backup",
            program="/opt/monitoring-ha/backup",
        ),
        Component(
            "proxy",
            "Proxy beside clients",
            "",
            "proxy",
            "monitoring-ha-proxy.service",
            "haproxy",
            ports={"http": Port(8406)},
            metrics=("http", "/metrics"),
            beside=(
                "alertmanager",
                "object_store",
                "thanos_sidecar",
                "thanos_query",
                "thanos_query_frontend",
                "thanos_store",
                "thanos_compact",
                "grafana",
            ),
            config="/etc/monitoring-ha/proxy",
        ),
        Component(
            "load_balancer",
            "HAProxy",
            "load_balancer",
            "haproxy",
            "haproxy.service",
            "haproxy",
            ports={"stats": Port(8404), "alive_local": _loopback(8405)},
            metrics=("stats", "/metrics"),
            minimum=2,
            config="/etc/monitoring-ha/haproxy",
        ),
        Component(
            "keepalived",
            "keepalived",
            "load_balancer",
            "keepalived",
            "keepalived.service",
            "root",
            ports={},
            minimum=2,
            config="/etc/monitoring-ha/keepalived",
            intrudes=True,
        ),
    )
}


def component(name: str) -> Component:
    """The component called ``name``; KeyError names the known ones."""
    try:
        return COMPONENTS[name]
    except KeyError:
        raise KeyError(f"unknown component {name!r}; known: {', '.join(sorted(COMPONENTS))}") from None
