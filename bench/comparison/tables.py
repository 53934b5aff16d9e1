"""The figures as Markdown."""

from .figures import Aim, median, ratios, verdict, wanted
from .rounds import Result
from .scenarios import Column

OURS = "gateway"
#: Fewer log lines than this for each request, and the log was not on.
LOGGED_AT_LEAST = 0.98


def table(heading: list[str], rows: list[list[str]], texts: int) -> str:
    """The first columns are texts, the others figures."""
    line = ["---"] * texts + ["--:"] * (len(heading) - texts)
    return "\n".join(["| " + " | ".join(heading) + " |", "|" + "|".join(line) + "|", *("| " + " | ".join(row) + " |" for row in rows)])


def figure(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def absolute(results: list[Result]) -> str:
    """One scenario: every proxy with every number of threads."""
    columns = results[0].scenario.columns
    rows = []
    for result in results:
        for name in result.scenario.proxies:
            samples = result.samples.get(name)
            told = [figure(median(samples, column.figure), column.decimals) for column in columns] if samples else [lack(result, name)] + [""] * (len(columns) - 1)
            rows.append([name, str(result.threads), *told])
    return table(["Proxy", "Threads", *(column.heading for column in columns)], rows, 1)


def lack(result: Result, *names: str) -> str:
    """What stands for figures that are not there."""
    return "not yet" if any(name in result.missing for name in names) else "failed"


def peers(result: Result) -> list[tuple[str, Aim | None]]:
    """Those with an aim, then the others."""
    aims = {aim.peer: aim for aim in result.scenario.aims if aim.peer}
    others = [name for name in result.scenario.proxies if name != OURS and name not in aims]
    return [*aims.items(), *((name, None) for name in others)]


def spread(each: list[float], middle: float) -> str:
    return f"{middle:.2f} ({min(each):.2f}–{max(each):.2f})"


def ratio_rows(result: Result) -> list[list[str]]:
    main, ours = result.scenario.main, result.samples.get(OURS)
    rows = []
    for name, aim in peers(result):
        row = [result.scenario.name, str(result.threads), name]
        theirs = result.samples.get(name)
        if not ours or not theirs:
            reason = lack(result, name, OURS)
            rows.append([*row, reason, wanted(aim), reason if aim else "–"])
            continue
        each = ratios(ours, theirs, main.figure)
        middle = median([{"ratio": ratio} for ratio in each], "ratio") if each else float("nan")
        rows.append([*row, spread(each, middle) if each else "–", wanted(aim), verdict(middle, aim)])
    return rows


def fixed_rows(result: Result) -> list[list[str]]:
    """Of aims that are no ratios."""
    main: Column = result.scenario.main
    rows = []
    for aim in (aim for aim in result.scenario.aims if aim.peer is None):
        of = {name: median(samples, main.figure) for name, samples in result.samples.items() if samples}
        told = [figure(of[name], main.decimals) if name in of else lack(result, name) for name in (OURS, "nginx", "haproxy")]
        kept = verdict(of[OURS], aim) if OURS in of else lack(result, OURS)
        rows.append([result.scenario.name, str(result.threads), main.heading, *told, wanted(aim, 0), kept])
    return rows


def summary(results: list[Result]) -> str:
    compared = [row for result in results if any(aim.peer for aim in result.scenario.aims) for row in ratio_rows(result)]
    fixed = [row for result in results for row in fixed_rows(result)]
    parts = []
    if compared:
        parts.append(table(["Scenario", "Threads", "Beside", "Ours / theirs (rounds from–to)", "Aim, at most", "Kept"], compared, 1))
    if fixed:
        parts.append(table(["Scenario", "Threads", "What", "gateway", "nginx", "haproxy", "Aim, at most", "Kept"], fixed, 1))
    return "\n\n".join(parts)


def faults(results: list[Result]) -> list[str]:
    """What makes figures worthless: requests that failed, a log that was not written."""
    found = []
    for result in results:
        if result.broken:
            found.append(f"{result.scenario.name}, threads {result.threads}: {result.broken}")
        for name, samples in result.samples.items():
            where = f"{result.scenario.name}, threads {result.threads}, {name}"
            if failed := sum(sample.get("failed", 0) for sample in samples):
                found.append(f"{where}: {failed:.0f} failed")
            if any(sample.get("logged", 1) < LOGGED_AT_LEAST for sample in samples):
                found.append(f"{where}: the access log lacks lines")
    return found


def same_notes(results: list[Result]) -> list[str]:
    missing = [f"{name}: not yet: {reason}" for result in results for name, reason in result.missing.items()]
    return list(dict.fromkeys([note for result in results for note in result.notes] + missing))


def markdown(results: list[Result]) -> str:
    """All: what it comes to, then each scenario."""
    parts = [summary(results)]
    if found := faults(results):
        parts.append("\n".join(f"- FAILED: {fault}" for fault in found))
    for name in dict.fromkeys(result.scenario.name for result in results):
        those = [result for result in results if result.scenario.name == name]
        parts.append(f"**{name}**: {those[0].scenario.title}.")
        parts.append(absolute(those))
        if notes := same_notes(those):
            parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)
