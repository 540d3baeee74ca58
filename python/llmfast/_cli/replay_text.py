"""The report of a replay for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._replay import words
from .sheet import Sheet, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

# Characters of a model's name that fit beside its figures.
_NAME = 36


def sheet(report: Mapping[str, Any]) -> Sheet:
    """Return the sheet of a report."""
    tables = [_tiers(report), _wrong(report), _latency(report), _money(report), _models(report)]
    if report["curve"]["points"]:
        tables.append(_curve(report))
    return Sheet(heading(report), headlines(report), tables, _notes(report))


def heading(report: Mapping[str, Any]) -> str:
    """Return what was replayed, in one line."""
    source = report["source"]
    seed = f", seed {source['seed']}" if source["bundled"] else ""
    return f"llmfast replay: {words.source_name(report)}, {report['requests']:,} requests{seed}"


def headlines(report: Mapping[str, Any]) -> list[str]:
    """Return the three lines that matter most."""
    money, wrong = report["money"], report["wrong"]
    whole = money["without"]
    lines = [
        f"{words.percent(report['hits']['share'])} of the requests answered without a call",
        f"{words.usd(whole)} -> {words.usd(money['with'], whole)}: {words.usd(money['saved'], whole)} saved "
        f"({words.percent(money['saved_share'])}){words.priced(report)}{', estimated' if money['estimated'] else ''}"
        if whole is not None
        else f"saved: unknown (no price is known for any of {report['requests']:,} requests)",
    ]
    rate = wrong["wrong_of_all"]
    lines.append(
        f"wrong answers: {words.percent(rate['rate'], 2)} of all requests (95 % interval {words.interval(rate)})"
        if wrong["truth"]
        else "wrong answers: truth unknown (the log names no intents)"
    )
    return lines


def _tiers(report: Mapping[str, Any]) -> Table:
    table = Table("Hits by tier", ["tier", "", ">requests", ">share", ">design figure"])
    for tier in (*report["tiers"], report["hits"], report["calls"]):
        target = words.design(tier["design"]) if tier["design"] else ""
        label = "" if tier["tier"] in ("all", "-") else tier["tier"]
        table.rows.append([label, tier["name"], words.count(tier["requests"]), words.tier_share(tier), target])
    table.notes.append(words.DESIGN_NOTE)
    return table


def _wrong(report: Mapping[str, Any]) -> Table:
    wrong = report["wrong"]
    table = Table("Wrong hits: another intent's answer", ["", ">wrong", ">of", ">rate", ">95 % interval (Wilson)"])
    if not wrong["truth"]:
        table.rows.append(["truth unknown", "-", "-", "-", "-"])
        table.notes.append('A hit can be judged where the log gives an "intent" for both requests.')
        return table
    for name, label in (
        ("wrong_of_all", "of all requests"),
        ("wrong_of_hits", "of hits"),
        ("wrong_of_exact_hits", "of exact hits"),
        ("wrong_of_semantic_hits", "of semantic hits"),
    ):
        rate = wrong[name]
        shown = "-" if rate["rate"] is None else words.percent(rate["rate"], 2)
        bounds = "-" if rate["rate"] is None else words.interval(rate)
        table.rows.append([label, words.count(rate["count"]), words.count(rate["of"]), shown, bounds])
    return table


def _latency(report: Mapping[str, Any]) -> Table:
    table = Table("Latency of llmfast, measured", ["", ">requests", ">p50", ">p95", ">p99"])
    for outcome, label in words.OUTCOMES.items():
        table.rows.append(_spread_row(label, report["latency"][outcome]))
    time = report["model_time"]
    table.rows.append(_spread_row("a caller's wait without llmfast *", time["wait_without"]))
    table.rows.append(_spread_row("a caller's wait with llmfast *", time["wait_with"]))
    table.notes.append(f"* the model's part is simulated: {time['formula']}")
    if report["settings"]["semantic"]:
        table.notes.append(f"a text is encoded on {report['settings']['threads']} of the machine's processors.")
    return table


def _spread_row(label: str, spread: Mapping[str, Any]) -> list[str]:
    return [label, words.count(spread["count"]), *(words.duration(spread[level]) for level in ("p50", "p95", "p99"))]


def _money(report: Mapping[str, Any]) -> Table:
    money, tokens = report["money"], report["tokens"]
    table = Table("Money and tokens", ["", ">USD", ">share", ">input tokens", ">output tokens"])
    whole = money["without"]
    for name, label in (("without", "without llmfast"), ("with", "with llmfast")):
        table.rows.append(
            [
                label,
                words.usd(money[name], whole),
                _share(words.part(money[name], whole)),
                *(words.count(tokens[name][way]) for way in ("input", "output")),
            ]
        )
    for saver, label in words.SAVERS.items():
        amount = money["saved_by"][saver]
        part = _share(words.part(amount, whole))
        table.rows.append([f"  saved by {label}", words.usd(amount, whole), part, "", ""])
    table.notes += words.money_notes(report)
    return table


def _share(part: float | None) -> str:
    return "-" if part is None else words.percent(part)


def _models(report: Mapping[str, Any]) -> Table:
    models, calls = report["models"], report["calls"]["requests"]
    title = "Models called, chosen by the router" if models["router"] else "Models called (no router)"
    table = Table(title, ["model", ">calls", ">share of calls", ">requests asked for it"])
    for name in {**models["called"], **models["requested"]}:
        called = models["called"].get(name, 0)
        part = words.percent(called / calls) if calls else "-"
        table.rows.append(
            [words.shortened(name, _NAME), words.count(called), part, words.count(models["requested"].get(name, 0))]
        )
    return table


def _curve(report: Mapping[str, Any]) -> Table:
    curve, own = report["curve"], report["settings"]["threshold"]
    columns = [">threshold", ">exact", ">semantic", ">hits", ">wrong of hits", ">wrong of all", ""]
    table = Table(f"Hits against wrong hits over the threshold, {curve['requests']:,} requests", columns)
    for point in curve["points"]:
        of = point["requests"] or 1
        exact, semantic = point["exact_hits"] / of, point["semantic_hits"] / of
        rates = [_rate(point[name]["rate"]) for name in ("wrong_of_hits", "wrong_of_all")]
        mark = "<- this run" if point["threshold"] == own else ""
        table.rows.append(
            [
                words.threshold(point["threshold"]),
                *map(words.percent, (exact, semantic, exact + semantic)),
                *rates,
                mark,
            ]
        )
    return table


def _rate(rate: float | None) -> str:
    return "-" if rate is None else words.percent(rate, 2)


def _notes(report: Mapping[str, Any]) -> list[str]:
    skipped, notes = report["skipped"], [f"note: {note}" for note in report["notes"]]
    if report["curve"]["note"]:
        notes.append(f"note: {report['curve']['note']}")
    if skipped["lines"]:
        reasons = ", ".join(f"{times:,} {reason}" for reason, times in skipped["reasons"].items())
        notes.append(f"skipped {skipped['lines']:,} lines: {reasons}")
        notes += [f"  {line}" for line in skipped["first"]]
    if report["source"]["attribution"]:
        notes.append(report["source"]["attribution"])
    return notes
