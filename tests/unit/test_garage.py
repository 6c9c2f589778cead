"""A Garage cluster as declared. The server keeps a cluster's state and answers as version 2 of the administration API does."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import garage
from ansible_collections.monitoring.ha.plugins.module_utils.garage import Api, GarageError, Node
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

from tests.unit.plays import Play
from tests.unit.servers import Answer, Request, free_port, serve

TOKEN = "open-sesame-open-sesame"
NODES = [Node(str(n) * 64, f"192.0.2.1{n}:3901", f"rack{n}", 10**9, f"mon{n}") for n in (1, 2, 3)]
MANY = [*NODES, *(Node(str(n) * 64, f"192.0.2.1{n}:3901", f"rack{n}", 10**9, f"mon{n}") for n in (4, 5))]
KEY = {"name": "thanos", "id": "GK" + "a" * 24, "secret": "b" * 64}
BUCKET = {"name": "thanos", "keys": {"thanos": ["read", "write"]}}


class Refused(Exception):
    """An answer of the cluster that is an error."""


@dataclass
class Cluster:
    """What the server keeps."""

    up: set[str] = field(default_factory=lambda: {NODES[0].id})
    unreachable: set[str] = field(default_factory=set)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    staged: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    alone: int = 0
    #: Questions that are answered too late.
    slow: int = 0
    draining: set[str] = field(default_factory=set)
    blocks: dict[str, int] = field(default_factory=dict)
    #: Nodes that are known and out of reach, and for how many seconds.
    away: dict[str, int | None] = field(default_factory=dict)
    #: Nodes that give no account of themselves.
    mute: set[str] = field(default_factory=set)

    def __call__(self, request: Request) -> Answer:
        if self.alone:
            self.alone -= 1
            return Answer(b'{"message": "Internal error: Could not reach quorum of 2"}', 503)
        if self.slow:
            self.slow -= 1
            return Answer(b"[]", wait=0.5)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(b'{"message": "Forbidden: invalid token"}', 403)
        url = urllib.parse.urlparse(request.path)
        name = url.path.rpartition("/")[2]
        parameters = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        self.calls.append(name)
        try:
            answer = getattr(self, name)(json.loads(request.body or b"null"), **parameters)
        except Refused as error:
            return Answer(json.dumps({"message": str(error)}).encode(), 400)
        return Answer(json.dumps(answer).encode())

    def GetClusterStatus(self, _body: None) -> dict[str, Any]:
        names = {node.id: node.name for node in MANY}
        return {
            "nodes": [
                {
                    "id": node,
                    "isUp": node in self.up,
                    "hostname": names.get(node),
                    "role": self.roles.get(node),
                    "draining": node in self.draining,
                    "lastSeenSecsAgo": self.away.get(node),
                }
                for node in sorted(self.up | set(self.roles) | set(self.away))
            ]
        }

    def GetNodeStatistics(self, _body: None, node: str) -> dict[str, Any]:
        assert node == "*"
        told = {its: {"blockManagerStats": {"rcEntries": self.blocks.get(its, 0)}} for its in self.up - self.mute}
        return {"success": told, "error": dict.fromkeys(self.mute, "timeout")}

    def ConnectClusterNodes(self, body: list[str]) -> list[dict[str, Any]]:
        found = [place.partition("@")[0] for place in body]
        self.up |= set(found) - self.unreachable
        return [{"success": node in self.up, "error": None if node in self.up else "handshake failed"} for node in found]

    def GetNodeInfo(self, _body: None, node: str) -> dict[str, Any]:
        return {"success": {NODES[0].id: {"nodeId": NODES[0].id}}, "error": {}}

    def GetClusterLayout(self, _body: None) -> dict[str, Any]:
        return {"version": self.version, "roles": list(self.roles.values()), "stagedRoleChanges": self.staged}

    def UpdateClusterLayout(self, body: dict[str, Any]) -> None:
        self.staged = body["roles"]

    def ApplyClusterLayout(self, body: dict[str, Any]) -> None:
        after = {node: role for node, role in self.roles.items() if node not in {c["id"] for c in self.staged}}
        after |= {change["id"]: change for change in self.staged if "remove" not in change}
        if body["version"] != self.version + 1 or len(after) < 3:
            raise Refused("The number of nodes with positive capacity is smaller than the replication factor")
        self.roles, self.staged, self.version = after, [], body["version"]

    def ClusterLayoutSkipDeadNodes(self, body: dict[str, Any]) -> dict[str, Any]:
        if body != {"version": self.version, "allowMissingData": False}:
            raise Refused("This version is not the current one")
        return {"ackUpdated": [], "syncUpdated": []}

    def RevertClusterLayout(self, _body: Any) -> None:
        self.staged = []

    def ListKeys(self, _body: None) -> list[dict[str, Any]]:
        return [{"id": key} for key in self.keys]

    def GetKeyInfo(self, _body: None, id: str, showSecretKey: str) -> dict[str, Any]:
        return self.keys[id]

    def ImportKey(self, body: dict[str, Any]) -> None:
        self.keys[body["accessKeyId"]] = body

    def UpdateKey(self, body: dict[str, Any], id: str) -> None:
        self.keys[id].update(body)

    def ListBuckets(self, _body: None) -> list[dict[str, Any]]:
        return [{"id": bucket["id"], "globalAliases": [name]} for name, bucket in self.buckets.items()]

    def CreateBucket(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["globalAlias"]
        self.buckets[name] = {"id": f"id-{name}", "quotas": {"maxSize": None, "maxObjects": None}, "keys": []}
        return self.buckets[name]

    def GetBucketInfo(self, _body: None, id: str) -> dict[str, Any]:
        return next(bucket for bucket in self.buckets.values() if bucket["id"] == id)

    def UpdateBucket(self, body: dict[str, Any], id: str) -> None:
        self.GetBucketInfo(None, id).update(body)

    def AllowBucketKey(self, body: dict[str, Any], allow: bool = True) -> None:
        keys = self.GetBucketInfo(None, body["bucketId"])["keys"]
        mine = next((key for key in keys if key["accessKeyId"] == body["accessKeyId"]), None)
        if not mine:
            mine = {"accessKeyId": body["accessKeyId"], "permissions": {}}
            keys.append(mine)
        mine["permissions"].update({name: allow for name, meant in body["permissions"].items() if meant})

    def DenyBucketKey(self, body: dict[str, Any]) -> None:
        self.AllowBucketKey(body, False)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    with serve(cluster) as server:
        yield Api(Client("127.0.0.1", server.port, tls=False), TOKEN)


def ensure(api: Api, **more: Any) -> list[str]:
    given: dict[str, Any] = {"nodes": NODES, "wanted_keys": [KEY], "wanted_buckets": [BUCKET], "timeout": 0.2, **more}
    return garage.ensure(api, **given)


def test_a_new_cluster(api: Api, cluster: Cluster) -> None:
    lines = ensure(api)
    assert lines[:2] == ["connect mon2, mon3", "mon1: 1000000000 bytes in zone rack1"]
    assert "bucket thanos: thanos may read, write" in lines and f"key thanos ({KEY['id']})" in lines
    assert {role["zone"] for role in cluster.roles.values()} == {"rack1", "rack2", "rack3"}
    assert cluster.buckets["thanos"]["keys"][0]["permissions"] == {"read": True, "write": True}


def test_the_same_again_changes_nothing(api: Api, cluster: Cluster) -> None:
    ensure(api)
    cluster.calls.clear()
    assert ensure(api) == []
    assert all(call.startswith(("Get", "List")) for call in cluster.calls)


def test_check_mode_tells_the_same_and_does_nothing(api: Api, cluster: Cluster) -> None:
    lines = ensure(api, check=True)
    assert any("bucket thanos" in line for line in lines)
    assert all(call.startswith(("Get", "List")) for call in cluster.calls)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": [*NODES[:2], Node(NODES[2].id, NODES[2].address, "rack3", 2 * 10**9, "mon3")]}, "mon3: 2000000000 bytes"),
        ({"wanted_buckets": [{**BUCKET, "max_size": "5G"}]}, "quotas 5000000000 bytes"),
        ({"wanted_buckets": [{**BUCKET, "keys": {"thanos": ["read"]}}]}, "thanos may no longer write"),
        ({"wanted_buckets": [{**BUCKET, "keys": {"thanos": ["read", "write", "owner"]}}]}, "thanos may owner"),
        ({"wanted_keys": [{**KEY, "name": "t2"}], "wanted_buckets": []}, "called t2"),
    ],
)
def test_a_change_is_made_once(api: Api, change: dict[str, Any], words: str) -> None:
    ensure(api)
    lines = ensure(api, **change)
    assert len(lines) == 1 and words in lines[0]
    assert ensure(api, **change) == []


def test_nothing_that_holds_data_is_removed_unless_it_is_named(api: Api, cluster: Cluster) -> None:
    fourth = Node("4" * 64, "192.0.2.14:3901", "rack1", 10**9, "mon4")
    cluster.up.add(fourth.id)
    ensure(api, nodes=[*NODES, fourth])
    assert ensure(api, wanted_buckets=[], wanted_keys=[]) == []
    assert len(cluster.roles) == 4 and cluster.buckets and cluster.keys
    assert ensure(api, remove=["mon4"]) == ["remove 4444444444444444 from the layout"]
    assert len(cluster.roles) == 3


def test_a_lost_node_is_replaced_by_one_of_the_same_name(api: Api, cluster: Cluster) -> None:
    ensure(api)
    cluster.up.discard(NODES[1].id)
    fresh = Node("9" * 64, NODES[1].address, NODES[1].zone, NODES[1].capacity, NODES[1].name)
    nodes = [NODES[0], fresh, NODES[2]]
    lines = ensure(api, nodes=nodes, remove=["mon2"])
    assert lines == ["connect mon2", "mon2: 1000000000 bytes in zone rack2", f"remove {NODES[1].id[:16]} from the layout"]
    assert set(cluster.roles) == {node.id for node in nodes} and "ClusterLayoutSkipDeadNodes" in cluster.calls
    assert ensure(api, nodes=nodes, remove=["mon2"]) == []


@pytest.mark.parametrize("check", [False, True])
def test_a_node_that_has_lost_its_data_is_not_taken_in_as_a_further_one(api: Api, cluster: Cluster, check: bool) -> None:
    ensure(api)
    fresh = [Node("9" * 64, NODES[1].address, "rack2", 10**9, "mon2"), Node("8" * 64, NODES[2].address, "rack3", 10**9, "mon3")]
    before = (dict(cluster.roles), cluster.version)
    words = r"^mon2 has a place in the layout, but no data of it: mount its disk; or, if the host is a new one, say so with "
    with pytest.raises(GarageError, match=words + r"ha_removed_hosts: \[mon2\]$"):
        ensure(api, nodes=[NODES[0], fresh[0], NODES[2]], check=check)
    # Another one that is gone does not speak for it.
    with pytest.raises(GarageError, match=words + r"ha_removed_hosts: \[mon2\]$"):
        ensure(api, nodes=[NODES[0], *fresh], remove=["mon3"], check=check)
    with pytest.raises(GarageError, match=r"^mon2, mon3 have places .* mount their disks; .* ha_removed_hosts: \[mon2, mon3\]$"):
        ensure(api, nodes=[NODES[0], *fresh], check=check)
    assert (cluster.roles, cluster.version, cluster.staged) == (*before, [])


def test_nodes_keep_their_data_under_other_names(api: Api, cluster: Cluster) -> None:
    ensure(api)
    renamed = Node(NODES[1].id, NODES[1].address, "rack2", 10**9, "mon4")
    nodes = [NODES[0], renamed, NODES[2], Node("9" * 64, "192.0.2.19:3901", "rack2", 10**9, "mon2")]
    ensure(api, nodes=nodes)
    assert {role["id"]: role["tags"] for role in cluster.roles.values()} == {node.id: [node.name] for node in nodes}
    # One that was taken in beside its former self, as its disk was missing, is in use all the same.
    former = {**cluster.roles[renamed.id], "id": "7" * 64, "tags": ["mon2"]}
    cluster.roles["7" * 64] = former
    assert ensure(api, nodes=nodes) == []


def test_nodes_that_leave_hold_data_until_they_are_empty(api: Api, cluster: Cluster) -> None:
    ensure(api, nodes=MANY)
    # What those that stay have is where it belongs.
    cluster.blocks = {node.id: 7 for node in MANY}
    assert garage.leaving(api) == {}
    ensure(api, remove=["mon4", "mon5"])
    assert set(cluster.roles) == {node.id for node in NODES} and garage.leaving(api) == {"mon4": 7, "mon5": 7}
    cluster.blocks |= {MANY[3].id: 0, MANY[4].id: 0}
    cluster.draining = {MANY[3].id}
    assert garage.leaving(api) == {"mon4": 0}
    cluster.draining = set()
    assert garage.leaving(api) == {}
    # One that is lost gives nothing away.
    cluster.blocks, cluster.up, cluster.away = {MANY[4].id: 7}, {node.id for node in NODES}, {MANY[4].id: 3600}
    assert garage.leaving(api) == {}
    cluster.up.add(MANY[4].id)
    cluster.mute.add(MANY[4].id)
    assert garage.leaving(api) == {"mon5": None}, "who says nothing is not taken for empty"


@pytest.mark.parametrize("seen", [None, 5])
def test_a_node_that_has_lost_its_connections_is_not_taken_for_empty(
    api: Api, cluster: Cluster, seen: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(api, nodes=MANY)
    ensure(api, remove=["mon4", "mon5"])
    cluster.blocks = {MANY[3].id: 7}
    cluster.up.discard(MANY[3].id)
    cluster.away = {MANY[3].id: seen}

    def connected(_seconds: float) -> None:
        cluster.up.add(MANY[3].id)

    assert garage.leaving(api, connected) == {"mon4": 7}
    # It does not come back.
    cluster.up.discard(MANY[3].id)
    monkeypatch.setattr(garage, "SILENCE", 0.2)
    waited: list[float] = []
    assert garage.leaving(api, lambda seconds: waited.append(seconds)) == {}
    assert bool(waited) == (seen is None)


def test_nobody_who_works_and_holds_data_is_cut_off(api: Api, cluster: Cluster) -> None:
    ensure(api, nodes=MANY)
    garage.refuse_cut_off(api, [node.name for node in MANY])
    with pytest.raises(
        GarageError, match=r"^the others would not reach mon4, mon5 any more, .* in the inventory, in no group .*ha_removed_hosts$"
    ):
        garage.refuse_cut_off(api, [node.name for node in NODES])
    # Those that give their data away already have no place any more.
    ensure(api, remove=["mon4", "mon5"])
    cluster.draining = {MANY[3].id}
    garage.refuse_cut_off(api, [node.name for node in MANY])
    garage.refuse_cut_off(api, [node.name for node in MANY[:4]])
    with pytest.raises(GarageError, match=r"^the others would not reach mon4 any more, "):
        garage.refuse_cut_off(api, [node.name for node in NODES])
    cluster.up = {node.id for node in NODES}
    garage.refuse_cut_off(api, [node.name for node in NODES])


def test_a_member_loses_its_place_only_to_a_fresh_one(api: Api, cluster: Cluster) -> None:
    ensure(api, nodes=MANY)
    members = [node.name for node in MANY]
    # Its turn has not come, or it is not part of this run.
    assert ensure(api, nodes=MANY[:1], remove=["mon2"], members=members) == [] and len(cluster.roles) == 5
    fresh = Node("9" * 64, NODES[1].address, NODES[1].zone, NODES[1].capacity, "mon2")
    cluster.up.discard(NODES[1].id)
    lines = ensure(api, nodes=[MANY[0], fresh], remove=["mon2"], members=members)
    assert lines[-1] == f"remove {NODES[1].id[:16]} from the layout" and fresh.id in cluster.roles


def test_a_key_that_was_taken_out_of_a_bucket_is_refused(api: Api, cluster: Cluster) -> None:
    new = {**KEY, "name": "thanos-2", "id": "GK" + "2" * 24}
    both, alone = {"thanos": ["read", "write"], "thanos-2": ["read", "write"]}, {"thanos-2": ["read", "write"]}
    ensure(api, wanted_keys=[KEY, new], wanted_buckets=[{**BUCKET, "keys": both}])
    # Also where nobody has it any more.
    lines = ensure(api, wanted_keys=[new], wanted_buckets=[{**BUCKET, "keys": alone}])
    assert len(lines) == 1 and lines[0].startswith("bucket thanos: ") and lines[0].endswith("may no longer read, write")
    given = {key["accessKeyId"]: key["permissions"] for key in cluster.buckets["thanos"]["keys"]}
    assert given == {KEY["id"]: {"read": False, "write": False}, new["id"]: {"read": True, "write": True}}
    assert ensure(api, wanted_keys=[new], wanted_buckets=[{**BUCKET, "keys": alone}]) == []


def test_a_fresh_node_does_not_found_a_cluster_of_its_own(api: Api) -> None:
    with pytest.raises(GarageError, match="mon1 is new, and 2 others are not part of this run: leave out --limit"):
        garage.refuse_alone(api, NODES[:1], ["mon1", "mon2", "mon3"])
    garage.refuse_alone(api, NODES, ["mon1", "mon2", "mon3"])
    ensure(api)
    garage.refuse_alone(api, NODES[:1], ["mon1", "mon2", "mon3"])


def test_a_layout_that_is_refused_leaves_nothing_behind(api: Api, cluster: Cluster) -> None:
    with pytest.raises(GarageError, match=r"nothing was changed.*replication factor"):
        ensure(api, nodes=NODES[:2])
    assert cluster.staged == [] and cluster.roles == {}


def test_a_layout_that_somebody_else_works_on_is_left_alone(api: Api, cluster: Cluster) -> None:
    cluster.staged = [{"id": "x"}]
    with pytest.raises(GarageError, match="apply or revert"):
        ensure(api)


def test_nodes_that_cannot_be_connected_are_named(api: Api, cluster: Cluster) -> None:
    cluster.unreachable = {NODES[2].id}
    with pytest.raises(GarageError, match=r"mon3 \(192\.0\.2\.13:3901\): handshake failed: is the RPC secret"):
        ensure(api)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wanted_keys": [{**KEY, "id": "short"}]}, "the id is GK and 24"),
        ({"wanted_keys": [{**KEY, "secret": "c" * 64}]}, "has another secret"),
        ({"wanted_buckets": [{"name": "x", "keys": {"nobody": ["read"]}}]}, "no key is called nobody"),
        ({"wanted_buckets": [{"name": "thanos", "keys": {"thanos": ["reed"]}}]}, "unknown permission reed; known: read"),
        ({"wanted_buckets": [{**BUCKET, "max_size": "much"}]}, "write it as 100G"),
    ],
)
def test_what_cannot_be_is_one_clear_error(api: Api, change: dict[str, Any], words: str) -> None:
    ensure(api)
    with pytest.raises(GarageError, match=words) as error:
        ensure(api, **change)
    assert KEY["secret"] not in str(error.value) and "c" * 64 not in str(error.value)


def test_the_others_may_come_back_while_it_reads(api: Api, cluster: Cluster) -> None:
    cluster.alone = 3
    api.sleep = lambda _seconds: None
    assert api.get("ListKeys") == []
    cluster.alone, api.patience = 3, 0
    with pytest.raises(GarageError, match="ListKeys: 503 Internal error: Could not reach quorum"):
        api.get("ListKeys")


def test_what_is_read_may_take_longer_while_data_move(api: Api, cluster: Cluster) -> None:
    impatient = Api(replace(api.client, timeout=0.1), TOKEN, sleep=lambda _seconds: None)
    cluster.slow = 2
    assert impatient.get("ListKeys") == [] and cluster.slow == 0
    cluster.slow, impatient.patience = 2, 0
    with pytest.raises(Unanswered, match="timed out"):
        impatient.get("ListKeys")


def test_a_write_is_not_repeated(api: Api, cluster: Cluster) -> None:
    cluster.alone = 2
    with pytest.raises(GarageError, match="503"):
        api.post("ImportKey", {})
    assert cluster.alone == 1
    cluster.alone, cluster.slow = 0, 2
    with pytest.raises(Unanswered, match="timed out"):
        Api(replace(api.client, timeout=0.1), TOKEN).post("ImportKey", {})
    assert cluster.slow == 1


def test_a_wrong_token_is_said_and_not_shown(api: Api) -> None:
    with pytest.raises(GarageError, match="403 Forbidden") as error:
        garage.wait(Api(api.client, "wrong-token"), 0)
    assert "wrong-token" not in str(error.value)


def test_a_daemon_that_does_not_answer_is_waited_for_and_then_named() -> None:
    port = free_port()
    with pytest.raises(GarageError, match=f"no answer within 0 s: 127.0.0.1:{port}"):
        garage.wait(Api(Client("127.0.0.1", port, tls=False), TOKEN), 0.1, sleep=lambda _seconds: None)


@pytest.mark.parametrize(
    ("text", "size"), [("100G", 10**11), ("1.5TiB", 3 * 2**39), ("5 MB", 5 * 10**6), (7, 7), ("10k", 10**4), ("2Gi", 2**31)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert garage.size(text) == size


@pytest.mark.parametrize("text", ["", "G", "1X", "-1G", "1 IB", "ten"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(GarageError, match="write it as 100G"):
        garage.size(text)


def test_the_module(play: Play, cluster: Cluster, api: Api) -> None:
    node_ids = [{"id": n.id, "name": n.name, "address": n.address, "zone": n.zone, "capacity": "1G"} for n in NODES]
    common = {"port": api.client.port, "token": TOKEN, "nodes": node_ids, "keys": [KEY], "buckets": [BUCKET], "timeout": 1}
    nobody = {"port": api.client.port, "token": TOKEN}
    virgin = {**common, "port": free_port(), "nodes": [{**node, "id": ""} for node in node_ids]}
    played = play.run(
        [
            {"name": "Look at nothing", "monitoring.ha.garage_cluster": {**nobody, "port": free_port()}, "check_mode": True},
            {"name": "Check mode on nothing", "monitoring.ha.garage_cluster": virgin, "check_mode": True},
            {"name": "Check mode", "monitoring.ha.garage_cluster": common, "check_mode": True},
            {"name": "New", "monitoring.ha.garage_cluster": common, "diff": True},
            {"name": "Look", "monitoring.ha.garage_cluster": nobody},
            {"name": "Again", "monitoring.ha.garage_cluster": common},
            {"name": "Leave", "monitoring.ha.garage_cluster": {**nobody, "remove": ["mon9"]}},
            {"name": "Within reach", "monitoring.ha.garage_cluster": {**nobody, "reached": ["mon1", "mon2", "mon3"]}},
            {"name": "Not running", "monitoring.ha.garage_cluster": {**nobody, "reached": ["mon1"], "port": free_port()}},
            {"name": "Cut off", "monitoring.ha.garage_cluster": {**nobody, "reached": ["mon1", "mon2"]}, "ignore_errors": True},
            {"name": "Down", "monitoring.ha.garage_cluster": {**common, "port": free_port()}, "ignore_errors": True},
        ],
        "-vvv",
    )
    assert played.changed == ["Check mode on nothing", "Check mode", "New"]
    assert (played.result("Look")["id"], played.result("Look")["version"]) == (NODES[0].id, 1)
    assert (played.result("Look at nothing")["id"], played.result("Look at nothing")["version"]) == ("", 0)
    assert "bucket thanos" in str(played.result("New")["diff"])
    assert played.result("Leave")["leaving"] == {} and "would not reach mon3 any more" in played.message("Cut off")
    assert (played.result("Within reach")["version"], played.result("Not running")["version"]) == (1, 0)
    assert "object store: no answer within 1 s" in played.message("Down")
    assert TOKEN not in played.said and KEY["secret"] not in played.said
