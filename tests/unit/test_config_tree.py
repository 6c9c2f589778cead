"""A configuration directory as one thing: what is swapped in, what is refused, and what is shown of it."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import tree
from ansible_collections.monitoring.ha.plugins.module_utils.tree import File, Outcome, TreeError

from tests.unit.plays import Play, Played, command
from tools.steps import ROOT

USER, GROUP = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

#: A validator: every line of every file is a word and a number; it says file and line of what is not.
CHECK = r"""#!/bin/sh
cd "$1" && find . -type f ! -name '*.key' | sort | while read -r file; do
  awk -v file="$file" '!/^([a-z_.]+ [0-9]+|#.*)$/ { print file ":" FNR ": not understood: " $0; exit 1 }' "$file" || exit 1
done
"""


@pytest.fixture
def check(tmp_path: Path) -> list[str]:
    path = tmp_path / "check"
    path.write_text(CHECK, encoding="utf-8")
    path.chmod(0o755)
    return [str(path), "{staged}"]


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "tiny"


def file(path: str, text: str = "a 1\n", **its: Any) -> File:
    return File(path, text.encode(), **{"owner": USER, "group": GROUP, **its})


def apply(dest: Path, *files: File, **more: Any) -> Outcome:
    return tree.apply(str(dest), files, group=GROUP, **more)


def content(directory: Path) -> dict[str, str]:
    top = directory.resolve()
    return {str(p.relative_to(top)): p.read_text(encoding="utf-8") for p in top.rglob("*") if p.is_file()}


def state(directory: Path) -> dict[str, Any]:
    """Everything below a directory, to see that nothing was touched."""
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_mode, p.lstat().st_uid) for p in directory.rglob("*")}


# --- swapping ------------------------------------------------------------------------------------------------------


def test_files_with_their_modes(dest: Path) -> None:
    outcome = apply(dest, file("a.conf"), file("sub/b.conf", "b 2\n", mode=0o600), directory_mode=0o751)
    assert outcome.changed and dest.is_symlink()
    modes = {name: stat.S_IMODE((dest / name).stat().st_mode) for name in (".", "sub", "a.conf", "sub/b.conf")}
    assert modes == {".": 0o751, "sub": 0o751, "a.conf": 0o640, "sub/b.conf": 0o600}
    assert content(dest) == {"a.conf": "a 1\n", "sub/b.conf": "b 2\n"}


@needs_root
def test_files_with_their_owners(dest: Path) -> None:
    tree.apply(str(dest), [file("a", owner="nobody", group="nogroup"), file("b")], group="daemon")
    owners = {name: (Path(dest / name).owner(), Path(dest / name).group()) for name in (".", "a", "b")}
    assert owners == {".": ("root", "daemon"), "a": ("nobody", "nogroup"), "b": ("root", "root")}


def test_the_same_again_changes_nothing(dest: Path) -> None:
    first = apply(dest, file("a"), file("sub/b"))
    before = state(dest.parent)
    again = apply(dest, file("sub/b"), file("a"))
    assert (again.changed, again.digest) == (False, first.digest)
    assert state(dest.parent) == before


def test_what_is_no_longer_rendered_disappears_and_the_tree_before_stays(dest: Path) -> None:
    apply(dest, file("a"), file("rules/old"))
    before = dest.resolve()
    outcome = apply(dest, file("a"))
    assert content(dest) == {"a": "a 1\n"} and not (dest / "rules").exists()
    assert outcome.previous == str(before) and content(before) == {"a": "a 1\n", "rules/old": "a 1\n"}


def test_only_the_tree_before_stays(dest: Path) -> None:
    for number in range(4):
        apply(dest, file("a", f"a {number}\n"))
    kept = sorted(p.name for p in Path(tree.trees(str(dest))).iterdir() if p.is_dir())
    assert len(kept) == 2 and dest.resolve().name in kept


def test_back_to_the_tree_before(dest: Path) -> None:
    for text in ("a 1\n", "a 2\n", "a 1\n"):
        outcome = apply(dest, file("a", text))
    assert content(dest) == {"a": "a 1\n"} and content(Path(outcome.previous)) == {"a": "a 2\n"}


@pytest.mark.parametrize("change", ["content", "mode", "another file", "missing", "directory"])
def test_what_somebody_changed_by_hand_is_put_right(dest: Path, change: str) -> None:
    apply(dest, file("a"), file("b"))
    if change == "content":
        (dest / "a").write_text("a 9\n", encoding="utf-8")
    elif change == "mode":
        (dest / "a").chmod(0o666)
    elif change == "another file":
        (dest / "c").write_text("c 1\n", encoding="utf-8")
    elif change == "missing":
        (dest / "a").unlink()
    else:
        dest.resolve().chmod(0o777)
    assert apply(dest, file("a"), file("b")).changed
    assert content(dest) == {"a": "a 1\n", "b": "a 1\n"}
    assert stat.S_IMODE((dest / "a").stat().st_mode) == 0o640 and stat.S_IMODE(dest.stat().st_mode) == 0o750
    assert not apply(dest, file("a"), file("b")).changed


def test_a_change_of_mode_alone_is_one(dest: Path) -> None:
    first = apply(dest, file("a"))
    second = apply(dest, file("a", mode=0o600), diff=True)
    assert second.changed and second.digest != first.digest
    assert "0640" in second.diff[0]["before"]


def test_what_stood_there_before_is_kept(dest: Path) -> None:
    dest.mkdir()
    (dest / "precious").write_text("p 1\n", encoding="utf-8")
    apply(dest, file("a"))
    apply(dest, file("a", "a 2\n"))
    apply(dest, file("a", "a 3\n"))
    assert [p.read_text(encoding="utf-8") for p in Path(tree.trees(str(dest))).glob("adopted-*/tiny/precious")] == ["p 1\n"]


def test_what_reads_all_the_time_never_sees_half_a_tree(dest: Path) -> None:
    """The name leads to one whole tree or to the other, at every moment."""
    apply(dest, *(file(name, "n 0\n") for name in "abc"))
    directory = os.open(dest, os.O_RDONLY)
    try:
        apply(dest, *(file(name, "n 1\n") for name in "abc"))
        # Whoever had it open goes on with the old one.
        assert {name: Path(f"/proc/self/fd/{directory}/{name}").read_text(encoding="utf-8") for name in "abc"} == dict.fromkeys(
            "abc", "n 0\n"
        )
    finally:
        os.close(directory)
    assert set(content(dest).values()) == {"n 1\n"}


def test_what_an_interrupted_run_leaves_does_no_harm(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(dest, file("a"))

    def killed(*_words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tree, "swap", killed)
        apply(dest, file("a", "a 2\n"))
    assert content(dest) == {"a": "a 1\n"}
    assert apply(dest, file("a", "a 2\n")).changed
    assert content(dest) == {"a": "a 2\n"}
    assert len([p for p in Path(tree.trees(str(dest))).iterdir() if p.is_dir()]) == 2


# --- refusing ------------------------------------------------------------------------------------------------------


def refusal(dest: Path, *files: File, commands: Sequence[Sequence[str]] = (), **more: Any) -> str:
    """Why a tree is refused. Nothing has changed."""
    before = state(dest.parent)
    with pytest.raises(TreeError) as error:
        apply(dest, *files, commands=commands, **more)
    after = state(dest.parent)
    for name in (str(dest.parent), tree.trees(str(dest))):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_tree_that_the_validator_accepts(dest: Path, check: list[str]) -> None:
    assert apply(dest, file("a"), commands=[check]).validated


@pytest.mark.parametrize("virgin", [True, False])
def test_a_tree_that_the_validator_refuses_changes_nothing_and_names_file_and_line(dest: Path, check: list[str], virgin: bool) -> None:
    if not virgin:
        apply(dest, file("a"), commands=[check])
    message = refusal(dest, file("a"), file("rules/b", "b 2\nb two\n"), commands=[["true"], check, ["false"]])
    assert "rules/b:2: not understood: b two" in message and "check refuses" in message
    assert dest.exists() is not virgin


def test_messages_name_the_file_by_where_it_will_be(dest: Path) -> None:
    message = refusal(dest, file("a"), commands=[["sh", "-c", "echo {staged}/a:7: bad >&2; exit 1"]])
    assert f"{dest}/a:7: bad" in message and ".staged" not in message


def test_the_whole_tree_is_validated_in_its_place(dest: Path) -> None:
    command = ["sh", "-c", "test -f sub/b && test -f {staged}/a && test $MORE = 5 && test $0 = 5", "5"]
    assert apply(dest, file("a"), file("sub/b"), commands=[command], environment={"MORE": "5"}).validated


def test_a_validator_that_is_not_there_is_an_error_but_in_check_mode(dest: Path) -> None:
    assert "no such program" in refusal(dest, file("a"), commands=[["/nowhere/check", "{staged}"]])
    outcome = apply(dest, file("a"), commands=[["/nowhere/check", "{staged}"]], check=True)
    assert outcome.changed and not outcome.validated


def test_a_validator_that_says_nothing(dest: Path) -> None:
    assert "says nothing, and ends with 3" in refusal(dest, file("a"), commands=[["sh", "-c", "exit 3"]])


def test_a_tree_that_is_there_is_shown_to_another_version_once(dest: Path, check: list[str]) -> None:
    apply(dest, file("a"), commands=[check])
    again = apply(dest, file("a"), commands=[check])
    assert not again.changed and not again.validated
    # The same path, and another program: an upgraded package.
    Path(check[0]).write_text(f"{CHECK}# later\n", encoding="utf-8")
    seen = apply(dest, file("a"), commands=[check], check=True)
    assert not seen.changed and seen.validated
    assert apply(dest, file("a"), commands=[check]).validated and not apply(dest, file("a"), commands=[check]).validated
    # Another path: a release beside the old one.
    assert "a:7: a thing of the past" in refusal(dest, file("a"), commands=[["sh", "-c", "echo {staged}/a:7: a thing of the past; exit 1"]])
    assert not apply(dest, file("a"), commands=[check]).validated


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "", ".", "a/./b", "a//b"])
def test_a_path_that_is_none_is_refused(dest: Path, path: str) -> None:
    assert "plain path" in refusal(dest, file(path))


def test_trees_that_cannot_be(dest: Path) -> None:
    assert "twice: a" in refusal(dest, file("a"), file("a", "a 2\n"))
    assert "x/y cannot be a file and a directory" in refusal(dest, file("x/y"), file("x/y/z"))
    if os.geteuid() == 0:
        assert "no user 'nosuch'" in refusal(dest, file("a", owner="nosuch"))
        assert "no group 'nosuch'" in refusal(dest, file("a", group="nosuch"))


# --- check mode and diff -------------------------------------------------------------------------------------------


def test_check_mode_on_nothing(dest: Path, check: list[str]) -> None:
    before = state(dest.parent)
    outcome = apply(dest, file("a", owner="nosuch"), file("sub/b"), check=True, diff=True, commands=[check])
    assert outcome.changed and outcome.validated and state(dest.parent) == before
    assert [entry["after_header"] for entry in outcome.diff] == [f"{dest}/a", f"{dest}/sub/b"]
    assert all(entry["before"] == "" and "(absent)" in entry["before_header"] for entry in outcome.diff)


def test_check_mode_refuses_too(dest: Path, check: list[str]) -> None:
    assert "a:1: not understood" in refusal(dest, file("a", "?\n"), check=True, commands=[check])


def test_a_diff_has_what_changes_and_nothing_else(dest: Path) -> None:
    apply(dest, file("same"), file("changed"), file("gone"))
    outcome = apply(dest, file("same"), file("changed", "a 2\n"), file("new"), diff=True)
    shown = {os.path.basename(e["before_header"]): (e["before"], e["after"]) for e in outcome.diff}
    assert shown == {"changed": ("a 1\n", "a 2\n"), "gone": ("a 1\n", ""), "new (absent)": ("", "a 1\n")}


SECRET = "hunter2-Xk29ab77"


@pytest.mark.parametrize("moment", ["created", "changed", "removed", "no longer secret"])
def test_a_diff_shows_of_a_secret_only_that_it_changes(dest: Path, moment: str) -> None:
    secret = file("token", SECRET, secret=True)
    if moment != "created":
        apply(dest, secret if moment != "changed" else file("token", f"old-{SECRET}", secret=True))
    after = {"removed": [], "no longer secret": [file("token", f"new-{SECRET}")]}.get(moment, [secret])
    outcome = apply(dest, *after, diff=True)
    assert len(outcome.diff) == 1 and "token" in str(outcome.diff)
    assert SECRET not in json.dumps(outcome.as_dict())


@pytest.mark.parametrize(
    "text",
    [
        f"- url: https://me:{SECRET}@metrics.example.org/write\n",
        f"proxy_url: http://:{SECRET}@proxy\n",
        f"application_credential_secret: {SECRET}\n",
        f"  password: two words {SECRET}\n",
        f"params:\n  api_key: [{SECRET}, {SECRET}2]\n",
        f"params:\n  api_key:\n  - {SECRET}\n  - {SECRET}2\n  match: [up]\n",
        f"http_headers:\n  X-Api-Key:\n    values:\n    - {SECRET}\n",
        f"  Authorization: Bearer {SECRET}\n",
        f"authorization:\n  type: Bearer\n  credentials: {SECRET}\n",
        f"- bearer_token: |\n    {SECRET}\n\n    {SECRET}2\n  name: a\n",
        f'{{"a": 1, "password":"{SECRET}", "b": 2}}\n',
        f"{{user: a, password: {SECRET}}}\n",
        f"auth_pass {SECRET}\n",
        f"connstr = addr=h,password={SECRET},db=0\n",
        f"url: https://api.example.org/?api_key={SECRET}&a=b\n",
    ],
)
def test_a_diff_shows_no_secret_of_a_file_that_is_not_one(text: str, dest: Path) -> None:
    apply(dest, file("a", text.replace(SECRET, f"{SECRET}-before")))
    outcome = apply(dest, file("a", text + "name: added\n"), diff=True)
    assert SECRET not in str(outcome.diff)
    assert "name: added" in outcome.diff[0]["after"] and "********" in outcome.diff[0]["after"]


PLAIN = """\
# The token expires soon, as the secret says.
tls_config:
  cert_file: /etc/host.pem
  key_file: /etc/host.key
  credentials_file: secrets/token
token_url: https://sso.example.org/token
rules:
- record: job:token_requests:rate5m
  expr: sum by (secret_key) (rate(token_requests_total{path="/a"}[5m])) > 0 and token_count == 1
  annotations:
    summary: 'The token of {{ $labels.host }} expires: renew it.'
password_file = /etc/password
"""


def test_a_diff_shows_what_is_no_secret(dest: Path) -> None:
    assert apply(dest, file("a", PLAIN), diff=True).diff[0]["after"] == PLAIN


def test_what_others_could_not_read_before_the_first_run_is_not_shown(dest: Path) -> None:
    dest.mkdir()
    (dest / "a").write_text(SECRET, encoding="utf-8")
    (dest / "a").chmod(0o600)
    assert SECRET not in str(apply(dest, file("a"), diff=True).diff)


@pytest.mark.parametrize(
    "quoting",
    [
        f"password: {SECRET}",
        f'basic_auth_password = "{SECRET}"',
        f"auth_pass {SECRET}",
        f'"secret_key": "{SECRET}",',
        f'client_secret: "two words {SECRET}"',
        f"url: https://user:{SECRET}@example.org/",
    ],
)
def test_a_validator_that_quotes_a_secret_is_not_repeated(dest: Path, quoting: str) -> None:
    message = refusal(dest, file("a", f"{quoting}\n"), commands=[["sh", "-c", "echo {staged}/a:1: bad:; cat a; exit 1"]])
    assert SECRET not in message and f"{dest}/a:1: bad" in message


def test_a_validator_that_quotes_a_part_of_a_secret_is_not_repeated(dest: Path) -> None:
    users = file("users", f"# who comes in\nadmin: {SECRET}\nguest: {SECRET}2\n", secret=True)
    message = refusal(dest, users, commands=[["sh", "-c", f"echo users:2: cannot unmarshal {SECRET}; exit 1"]])
    assert SECRET not in message and "users:2: cannot unmarshal" in message


def test_where_a_secret_lies_is_none(dest: Path) -> None:
    config = file("a", "password_file: secrets/token\ncredentials_file: secrets/other\n# the secret is elsewhere\n")
    words = "open secrets/token: no such file; nor elsewhere"
    assert words in refusal(dest, config, commands=[["sh", "-c", f"echo '{words}'; exit 1"]])


# --- as a user meets it --------------------------------------------------------------------------------------------


class Configuring:
    def __init__(self, home: Path, played: Played) -> None:
        self.dest, self.played = home / "etc" / "tiny", played


def snapshot(name: str, home: Path) -> dict[str, Any]:
    """A task that keeps what is on disk at that moment."""
    return {"name": name, "ansible.builtin.command": f"cp -rL {home}/etc/tiny {home}/{name}", "changed_when": False}


@pytest.fixture(scope="module")
def configuring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configuring]:
    """Everything that happens to a configuration, one after the other, on this machine."""
    home = tmp_path_factory.mktemp("tree")
    for name in ("templates", "files"):
        (home / name).mkdir()
    (home / "templates" / "tiny.conf.j2").write_text("{% for n in numbers %}\nnumber {{ n }}\n{% endfor %}\n", encoding="utf-8")
    (home / "templates" / "bad.j2").write_text("number {{ nobody_knows }}\n", encoding="utf-8")
    (home / "files" / "verbatim").write_text("braces 1\n", encoding="utf-8")
    (home / "files" / "vaulted").write_text("vaulted 1\n", encoding="utf-8")
    (home / "templates" / "outer.j2").write_text("# {{ ansible_managed }}\n{% include 'tiny.conf.j2' %}", encoding="utf-8")
    (home / "vault").write_text("a password\n", encoding="utf-8")
    command("ansible-vault", "encrypt", "--vault-password-file", home / "vault", home / "files" / "vaulted", home=home).check_returncode()
    (home / "check").write_text(CHECK, encoding="utf-8")
    (home / "check").chmod(0o755)
    template = {"path": "tiny.conf", "template": "tiny.conf.j2"}
    verbatim = {"path": "sub/verbatim", "src": "verbatim", "mode": "0600"}
    key = {"path": "tiny.key", "content": "{{ token }}", "secret": True, "mode": "0400"}

    def task(name: str, files: list[Any], **more: Any) -> dict[str, Any]:
        arguments = {"dest": str(home / "etc" / "tiny"), "owner": USER, "group": GROUP, "mode": "0644", "files": files}
        return {"name": name, "monitoring.ha.config_tree": {**arguments, "validate": [[str(home / "check"), "{staged}"]]}, **more}

    def one(number: int) -> dict[str, Any]:
        return {**template, "vars": {"numbers": [number]}}

    tasks = [
        task("Check mode on nothing", [one(1), verbatim, key], check_mode=True, diff=True),
        task("First", [one(1), verbatim, key], diff=True),
        task("Again", [one(1), verbatim, key], diff=True),
        snapshot("before", home),
        task("Refused", [one(1), {"path": "rules/one", "content": "fine 1\nnot fine\n"}, key], ignore_errors=True),
        task("Undefined", [one(1), {"path": "bad", "template": "bad.j2"}], ignore_errors=True),
        task("Data", [{"path": "a", "content": {"a": 1}}], ignore_errors=True),
        task("Unknown key", [{**one(1), "moed": "0600"}], ignore_errors=True),
        task("Decimal mode", [{**one(1), "mode": 640}], ignore_errors=True),
        task("Outside", [{"path": "../a", "content": ""}], ignore_errors=True),
        snapshot("after", home),
        task("Rendered", [{**one(3), "template": "outer.j2"}, {"path": "vaulted", "src": "vaulted"}], check_mode=True, diff=True),
        task("Changed", [one(2), {**key, "content": "{{ token }}-2"}], diff=True),
    ]
    (home / "etc").mkdir()
    yield Configuring(home, Play(home).run(tasks, "-vvv", "--vault-password-file", str(home / "vault"), variables={"token": SECRET}))


def test_a_play_in_check_mode_shows_what_it_would_do(configuring: Configuring) -> None:
    result = configuring.played.result("Check mode on nothing")
    assert result["changed"] and result["validated"]
    shown = {os.path.relpath(entry["after_header"], configuring.dest): entry["after"] for entry in result["diff"]}
    assert shown["tiny.conf"] == "number 1\n" and shown["sub/verbatim"] == "braces 1\n" and "secret" in shown["tiny.key"]


def test_a_play_makes_the_tree_and_then_changes_nothing(configuring: Configuring) -> None:
    first, again = configuring.played.result("First"), configuring.played.result("Again")
    assert first["changed"] and first["validated"] and not again["changed"]
    assert first["digest"] == again["digest"] and again["diff"] == []
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in Path(configuring.dest.parents[1] / "before").rglob("*") if p.is_file()}
    assert modes == {"tiny.conf": 0o644, "verbatim": 0o600, "tiny.key": 0o400}


def test_a_play_that_is_refused_changes_nothing(configuring: Configuring) -> None:
    home = configuring.dest.parents[1]
    assert content(home / "before") == content(home / "after")
    assert content(home / "after") == {"tiny.conf": "number 1\n", "sub/verbatim": "braces 1\n", "tiny.key": SECRET}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("Refused", ["rules/one:2", "not fine", "nothing was changed"]),
        ("Undefined", ["templates/bad.j2", "nobody_knows"]),
        ("Data", ["a: content is data", "to_nice_yaml"]),
        ("Unknown key", ["tiny.conf", "moed", "mode"]),
        ("Decimal mode", ["tiny.conf", "640", "quoted octal"]),
        ("Outside", ["../a", "inside the tree"]),
    ],
)
def test_errors_of_a_play_name_the_file(configuring: Configuring, task: str, words: list[str]) -> None:
    message = configuring.played.message(task)
    assert all(word in message for word in words) and "\n" not in message


def test_a_later_play_removes_what_is_no_longer_there_and_keeps_the_tree_before(configuring: Configuring) -> None:
    result = configuring.played.result("Changed")
    assert content(configuring.dest) == {"tiny.conf": "number 2\n", "tiny.key": f"{SECRET}-2"}
    assert content(Path(result["previous"]))["sub/verbatim"] == "braces 1\n"
    removed = [entry for entry in result["diff"] if entry["after_header"].endswith("(absent)")]
    assert [entry["before"] for entry in removed] == ["braces 1\n"]


def test_templates_include_others_and_vaulted_files_are_decrypted(configuring: Configuring) -> None:
    shown = {os.path.basename(entry["after_header"]): entry["after"] for entry in configuring.played.result("Rendered")["diff"]}
    assert shown["tiny.conf"].startswith("# Ansible managed by monitoring.ha") and shown["tiny.conf"].endswith("\nnumber 3\n")
    assert shown["vaulted"] == "vaulted 1\n"


def test_no_secret_is_in_the_output_however_loud(configuring: Configuring) -> None:
    assert "Check mode on nothing" in configuring.played.said
    assert SECRET not in configuring.played.said


HIDES: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing": ({}, False),
    "password": ({"basic_auth": {"password": "x"}}, True),
    "password in a URL": ({"proxy_url": "https://user:x@proxy.example.org"}, True),
    "secret of OpenStack": ({"openstack_sd_configs": [{"application_credential_secret": "x"}]}, True),
    "key as a parameter": ({"params": {"api_key": ["x"]}}, True),
    "key in a URL": ({"http_sd_configs": [{"url": "https://api.example.org/?token=x"}]}, True),
    "private key": ({"tls_config": {"key": "x"}}, True),
    "headers": ({"http_headers": {"X-Site": {"values": ["x"]}}}, True),
    "files": ({"tls_config": {"key_file": "a"}, "authorization": {"credentials_file": "a"}}, False),
    "plain": ({"static_configs": [{"targets": ["a:1"]}], "params": {"module": ["http_2xx"]}}, False),
}


def test_a_secret_in_the_configuration_of_prometheus_hides_it(play: Play) -> None:
    own = str(ROOT / "roles" / "prometheus" / "vars" / "main.yml")
    common: dict[str, Any] = {"prometheus_scrape_configs": [], "prometheus_config": {}}
    tasks: list[dict[str, Any]] = [{"name": "Variables", "ansible.builtin.include_vars": own}]
    for name, (its, _hidden) in HIDES.items():
        given = {**common, "prometheus_remote_write": [its] if its else []}
        tasks.append({"name": name, "ansible.builtin.debug": {"msg": "{{ prometheus_config_is_secret | bool }}"}, "vars": given})
    played = play.run(tasks)
    assert {name: played.result(name)["msg"] for name in HIDES} == {name: hidden for name, (_its, hidden) in HIDES.items()}
