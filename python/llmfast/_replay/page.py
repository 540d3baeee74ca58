"""The report as one self-contained HTML page: no script, nothing fetched. Whatever came from the log is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from . import charts, words
from .statistics import share
from .style import CSS
from .words import OUTCOMES, SAVERS, money_notes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Report = Mapping[str, Any]

# Nothing may be fetched or run, whatever a log holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# From this share of all requests on, wrong answers are coloured as what they are: too many.
_MUCH = 0.01


def page(report: Report) -> str:
    """Return the page."""
    sections = [
        _outcomes(report),
        _money(report),
        _wrong(report),
        _curve(report),
        _latency(report),
        _models(report),
        _provenance(report),
    ]
    source = report["source"]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>llmfast replay: {escape(source['name'])}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{_header(report)}{_heads(report)}{''.join(sections)}{_footer(report)}"
        "</main>\n</body>\n</html>\n"
    )


# ---- building blocks -------------------------------------------------------------------------------------------------


def _section(title: str, body: str, *notes: str) -> str:
    small = "".join(f'<p class="note">{escape(note)}</p>' for note in notes if note)
    return f"<section><h2>{escape(title)}</h2>{body}{small}</section>\n"


def _sentence(note: str) -> str:
    return note[0].upper() + note[1:]


def _table(columns: Sequence[str], rows: Sequence[str], kind: str = "") -> str:
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    head = f"<thead><tr>{names}</tr></thead>" if names else ""
    return f'<div class="scroll"><table class="{kind}">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _row(cells: Sequence[str], *, colour: str | None = None, kind: str = "") -> str:
    """Return a row of `cells`, the first with a colour's key where one is given."""
    key = f'<span class="key {colour}"></span>' if colour else ""
    first, rest = cells[0], "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr class="{kind}"><td>{key}{escape(first)}</td>{rest}</tr>'


# ---- the parts of the page -------------------------------------------------------------------------------------------


def _header(report: Report) -> str:
    source, settings = report["source"], report["settings"]
    layers = [f"threshold {words.threshold(settings['threshold'])}" if settings["semantic"] else "exact hits only"]
    layers.append("router on" if settings["router"] else "router off")
    seed = f", seed {source['seed']}" if source["bundled"] else ""
    line = f"{report['requests']:,} requests{seed}, {report['distinct_requests']:,} distinct; {', '.join(layers)}"
    return f"<header><h1>llmfast replay: {escape(source['name'])}</h1><p>{escape(line)}</p></header>\n"


def _heads(report: Report) -> str:
    money, wrong, hits = report["money"], report["wrong"], report["hits"]
    rate, whole, by = wrong["wrong_of_all"], money["without"], money["saved_by"]
    return (
        '<div class="heads">'
        + (
            _head(
                words.usd(money["saved"], whole),
                "saved" + words.priced(report) + (", estimated" if money["estimated"] else ""),
                f"{words.percent(money['saved_share'])} of {words.usd(whole)}; "
                f"by the cache {words.usd(money['saved'] - by['router'], whole)}, "
                f"by the router {words.usd(by['router'], whole)}",
                "good",
            )
            if whole is not None
            else _head("unknown", "saved", f"no price is known for any of {report['requests']:,} requests")
        )
        + _head(
            words.percent(hits["share"]),
            "answered without a call",
            f"{hits['requests']:,} of {report['requests']:,} requests",
        )
        + (
            _head(
                words.percent(rate["rate"], 2),
                "wrong answers",
                f"{rate['count']:,} of {rate['of']:,} requests; 95 % interval {words.interval(rate)}",
                "bad" if rate["low"] > _MUCH else "",
            )
            if wrong["truth"]
            else _head("unknown", "wrong answers", "the log names no intents to judge a hit by")
        )
        + "</div>\n"
    )


def _head(figure: str, what: str, more: str, kind: str = "") -> str:
    return (
        f'<div class="head"><b class="{kind}">{escape(figure)}</b><div class="what">{escape(what)}</div>'
        f'<div class="more">{escape(more)}</div></div>'
    )


def _outcomes(report: Report) -> str:
    first, shared, third = report["tiers"]
    calls, hits = report["calls"], report["hits"]
    parts = [
        ("exact hits", first["share"], "exact"),
        ("semantic hits", third["share"] or 0.0, "semantic"),
        ("model calls", calls["share"], "rest"),
    ]
    colours = ("exact", "blank", "semantic", "blank", "rest")
    rows = [
        _row(_tier(tier), colour=colour, kind="total" if tier is hits else "")
        for tier, colour in zip((first, shared, third, hits, calls), colours, strict=True)
    ]
    table = _table(["tier", "requests", "share", "design figure"], rows)
    drawn = charts.bar(parts, "outcomes of the requests")
    return _section("What became of the requests", drawn + table, _sentence(words.DESIGN_NOTE))


def _tier(tier: Mapping[str, Any]) -> list[str]:
    name = tier["name"] if tier["tier"] in ("all", "-") else f"{tier['tier']} {tier['name']}"
    shown = words.tier_share(tier)
    return [name, words.count(tier["requests"]), shown, words.design(tier["design"]) if tier["design"] else "-"]


def _money(report: Report) -> str:
    money, tokens = report["money"], report["tokens"]
    whole = money["without"]
    parts = [(f"saved by {SAVERS[saver]}", words.part(money["saved_by"][saver], whole), saver) for saver in SAVERS]
    parts.append(("still spent", words.part(money["with"], whole), "rest"))
    rows = [_row(["without llmfast", words.usd(whole), "", *_both(tokens["without"])], colour="blank", kind="total")]
    rows += [
        _row(
            [f"saved by {SAVERS[saver]}", words.usd(money["saved_by"][saver], whole), _part(part), "", ""], colour=saver
        )
        for (_, part, _), saver in zip(parts, SAVERS, strict=False)
    ]
    spent = [
        "with llmfast",
        words.usd(money["with"], whole),
        _part(words.part(money["with"], whole)),
        *_both(tokens["with"]),
    ]
    rows.append(_row(spent, colour="rest", kind="total"))
    table = _table(["", "USD", "share", "input tokens", "output tokens"], rows)
    notes = [_sentence(note) for note in money_notes(report)]
    drawn = [(label, known or 0.0, colour) for label, known, colour in parts]
    bar = charts.bar(drawn, "where the money went") if whole else ""
    return _section("Money", bar + table, *notes)


def _both(tokens: Mapping[str, int]) -> list[str]:
    return [words.count(tokens["input"]), words.count(tokens["output"])]


def _part(part: float | None) -> str:
    return "-" if part is None else words.percent(part)


def _wrong(report: Report) -> str:
    wrong = report["wrong"]
    if not wrong["truth"]:
        return _section(
            "Wrong hits",
            "<p>Truth unknown: a hit can be judged where the log gives an <code>intent</code> for both requests.</p>",
        )
    rows = []
    for name, label in (
        ("wrong_of_all", "of all requests"),
        ("wrong_of_hits", "of hits"),
        ("wrong_of_exact_hits", "of exact hits"),
        ("wrong_of_semantic_hits", "of semantic hits"),
    ):
        rate = wrong[name]
        known = rate["rate"] is not None
        shown = [words.percent(rate["rate"], 2), words.interval(rate)] if known else ["-", "-"]
        rows.append(_row([label, words.count(rate["count"]), words.count(rate["of"]), *shown]))
    table = _table(["", "wrong", "judged", "rate", "95 % interval"], rows)
    return _section(
        "Wrong hits", table, "A hit is wrong when the stored answer was made for another intent. Intervals: Wilson."
    )


def _curve(report: Report) -> str:
    curve, own = report["curve"], report["settings"]["threshold"]
    points = curve["points"]
    if not points:
        return ""
    truth = all(point["wrong_of_all"]["of"] for point in points)
    drawing = charts.tradeoff(points, own) if truth else charts.hits_only(points, own)
    rows = [_row(_point(point), kind="own" if point["threshold"] == own else "") for point in points]
    table = _table(["threshold", "exact", "semantic", "hits", "wrong of hits", "wrong of all"], rows)
    notes = [f"From one run over {curve['requests']:,} requests: the policy is replayed exactly at every threshold."]
    notes += [curve["note"]] if curve["note"] else []
    title = "Hits against wrong hits, over the threshold" if truth else "Hits over the threshold"
    body = f'<div class="scroll">{drawing}</div><details><summary>All figures</summary>{table}</details>'
    return _section(title, body, *notes)


def _point(point: Mapping[str, Any]) -> list[str]:
    of = point["requests"] or 1
    exact, semantic = point["exact_hits"] / of, point["semantic_hits"] / of
    rates = [point[name]["rate"] for name in ("wrong_of_hits", "wrong_of_all")]
    return [
        words.threshold(point["threshold"]),
        *map(words.percent, (exact, semantic, exact + semantic)),
        *("-" if rate is None else words.percent(rate, 2) for rate in rates),
    ]


def _latency(report: Report) -> str:
    time = report["model_time"]
    rows = [_row(_spread(label, report["latency"][outcome])) for outcome, label in OUTCOMES.items()]
    rows.append(_row(_spread("a caller's wait without llmfast (simulated)", time["wait_without"]), kind="total"))
    rows.append(_row(_spread("a caller's wait with llmfast (partly simulated)", time["wait_with"]), kind="total"))
    table = _table(["", "requests", "p50", "p95", "p99"], rows)
    note = f"The first three rows are measured around the engine. The model's own time is simulated: {time['formula']}."
    return _section("Latency", table, note)


def _spread(label: str, spread: Mapping[str, Any]) -> list[str]:
    return [label, words.count(spread["count"]), *(words.duration(spread[level]) for level in ("p50", "p95", "p99"))]


def _models(report: Report) -> str:
    models, calls = report["models"], report["calls"]["requests"]
    rows = [
        _row(
            [
                name,
                words.count(models["called"].get(name, 0)),
                words.percent(share(models["called"].get(name, 0), calls)),
                words.count(models["requested"].get(name, 0)),
            ]
        )
        for name in {**models["called"], **models["requested"]}
    ]
    table = _table(["model", "calls", "share of calls", "requests that asked for it"], rows)
    return _section("Models called, chosen by the router" if models["router"] else "Models called", table)


def _provenance(report: Report) -> str:
    settings, tokens = report["settings"], report["tokens"]
    given = {
        "requests": words.source_name(report),
        "policy": f"kind {settings['kind']}, {settings['mode']}, threshold {words.threshold(settings['threshold'])}, "
        f"time to live {words.lifetime(settings['ttl'])}, capacity {settings['capacity']:,}",
        "encoder": _encoder(settings["encoder"]),
        "baseline": f"{settings['baseline']}, for requests that name no model",
        "measured": "hits, wrong hits where truth is known, latency of llmfast",
        "simulated": f"the model: its answers are stand-ins, its time is {report['model_time']['formula']}",
        "estimated": f"tokens of {tokens['estimated_requests']:,} requests: {tokens['estimate']}",
    }
    rows = [_row([name, str(value)]) for name, value in given.items()]
    skipped = report["skipped"]
    notes = list(report["notes"])
    if skipped["lines"]:
        reasons = ", ".join(f"{times:,} {reason}" for reason, times in skipped["reasons"].items())
        notes.append(f"{skipped['lines']:,} lines were skipped: {reasons}. The first: {'; '.join(skipped['first'])}.")
    return _section("What is measured, simulated, estimated", _table([], rows, "words"), *notes)


def _encoder(encoder: Mapping[str, str] | None) -> str:
    return "none" if encoder is None else f"{encoder['name']}, fingerprint {encoder['fingerprint'][:16]}"


def _footer(report: Report) -> str:
    lines = [f"llmfast {report['llmfast']}. Nothing was sent anywhere; this page loads nothing."]
    if report["source"]["attribution"]:
        lines.append(report["source"]["attribution"])
    return f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</footer>\n"
