"""docs/reference.md, made from the catalogue: ``python -m tools.reference``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component, Frontend, Port
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

from tools.steps import ROOT

PAGE = ROOT / "docs" / "reference.md"
SECURITY = {"mtls": "client certificate", "secret": "shared secret", "none": "", "vrrp": "unicast peers"}
HEAD = """# Reference

Made from the catalogue (`plugins/module_utils/catalogue.py`) by `python -m tools.reference`. An inventory overrides a port
with the variable beside it, for all hosts alike. Every variable of a role is described by `ansible-doc -t role monitoring.ha.<role>`.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A Markdown table, with an empty line after it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
    yield ""


def where(component: Component) -> str:
    """The group that a component runs on, or its neighbours."""
    return f"`{component.group}`" if component.group else "beside its clients"


def listens(port: Port) -> str:
    if port.scope == "loopback":
        return "loopback"
    return f"{port.scheme}, {SECURITY[port.security]}"


def comes_in(front: Frontend) -> str:
    if front.mode == "tcp" or front.own_login:
        return "its own users"
    return "client certificate" if front.client_certificate else "password, or client certificate"


def promise(its: failures.Failure) -> str:
    """What a failure may cost, in words."""
    words = []
    for name, limit in its.promise.items():
        what = {"default": "everything else", "page_copies": "pages for one alert", "alerts": "pages"}.get(name, name.replace("_", " "))
        seconds = name in failures.SECONDS
        words.append(f"{what}: {'not judged' if limit is None else f'{limit:g} s' if seconds else f'{limit:g}'}")
    words += ["afterwards every block is uploaded"] if its.uploads else []
    return ", ".join(words) or "nothing is noticed"


def page() -> str:
    """The whole page."""
    found = list(COMPONENTS.values())
    lines = [HEAD, "## Components", ""]
    head = ("component", "group", "role", "unit", "how many", "keeps", "configuration")
    lines += table(
        head,
        (
            (
                c.title,
                where(c),
                f"`{c.role}`",
                f"`{c.unit}`",
                f"{c.cardinality}, ≥ {c.minimum}",
                f"`{c.data}`" if c.data else "",
                f"`{c.config}`",
            )
            for c in found
        ),
    )
    lines += ["## Ports", ""]
    ports = [(c, name, port) for c in found for name, port in c.ports.items()]
    lines += table(
        ("port", "component", "listens", "variable"),
        ((p.number, c.title, listens(p), f"`{c.name}_{name}_port`") for c, name, p in sorted(ports, key=lambda entry: entry[2].number)),
    )
    lines += [
        "## Front ends on the virtual address",
        "",
        "Of several with the same name, the first whose component the inventory has is published.",
        "`haproxy_<front end>_port` sets another port.",
        "",
    ]
    fronts = sorted(((f, c) for c in found for f in c.frontends), key=lambda entry: (entry[0].name, entry[0].rank))
    lines += table(
        ("port", "front end", "what", "behind it", "who comes in"),
        ((f.number, f"`{f.name}`", f.title, c.title, comes_in(f)) for f, c in fronts),
    )
    lines += ["## Backups", "", "What a component keeps, and how it outlives the component's hosts.", ""]
    saved = [(c, c.backup) for c in found if c.backup]
    jobs = {c.name: c.title for c in found}
    lines += table(("component", "backup", "by"), ((c.title, b.how, jobs.get(b.job, "")) for c, b in saved))
    lines += ["## Secrets", ""]
    lines += table(("variable", "component", "remedy"), ((f"`{s.variable}`", c.title, s.remedy) for c in found for s in c.secrets))
    lines += [
        "## Drills",
        "",
        "What can be drilled ([drills](drills.md)), for how many seconds, and how soon clients have to get right answers again.",
        "Probes that are not named notice nothing: 2 s. Wherever it does not say otherwise, no acknowledged write and no page is lost,",
        "no answer is wrong or stale, no data are missing, and at most one alert is paged twice.",
        "",
    ]
    lines += table(
        ("`drill`", "what", "whom", "seconds", "promise"),
        (
            (
                f"`{its.name}`",
                its.title,
                its.whom,
                f"{its.seconds:g}",
                promise(its) + (" (no topology survives it)" if its.beyond else ""),
            )
            for its in failures.load().values()
        ),
    )
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
