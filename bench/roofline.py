#!/usr/bin/env python3
"""Draws measured speeds under the machine's roofs: operations per byte across, Gop/s upwards.

    roofline.py FILE.json... -o OUT.svg [--threads N] [--precision NAME] [--rivals]
                [--models NAME,NAME]

A FILE is what `bench/peers.py --json` or `hearth bench --json` wrote. The slope is the measured
bandwidth, the flat roofs the measured peaks of float32, bf16 and int8 products: no program can be
above them on that machine. A point is the median of the runs of one model in one test: a circle is
generation of one sequence, a square several side by side, a triangle a prompt. Operations and bytes
are those that a step cannot do without (`"step"` in the JSON): the weights read once, the cache of
every sequence. With --rivals the better setting of every other program is an outline of the same
shape.
"""
import argparse
import html
import json
import math
import pathlib
import statistics
import sys

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 440, 56, 16, 100, 48
LEGEND_COLUMNS = 3
DASHES = ["", "2 1.5", "1 2.5"]  # of the outlines, one for each other program
COLOURS = ["#4a90d9", "#d9822b", "#3d9970", "#c0504d", "#9467bd", "#8c7a3f", "#d16ba5", "#2aa1b3"]
PEAKS = {"f32": "f32_tflops", "bf16": "bf16_tflops", "int8": "int8_tops"}


def reports_of(files):
    """([what hearth bench said], [figures of peers.py]) of all files."""
    reports, figures = [], []
    for file in files:
        try:
            content = json.loads(file.read_text())
        except (OSError, ValueError) as reason:
            sys.exit(f"{file}: {reason}")
        if "hearth" in content:
            reports += content["hearth"]
            figures += content["figures"]
        elif "prefill" in content:
            reports.append(content)
        else:
            sys.exit(f"{file} is neither from peers.py --json nor from hearth bench --json")
    return [r for r in reports if not r.get("busy")], figures


def points_of(reports):
    """{(model, precision, test, tokens, batch, depth): (operations per byte, Gop/s, tokens/s)}"""
    found = {}
    for r in reports:
        tests = [("prompt", 1, r["prefill"])]
        tests += [("generate", d["batch"], d) for d in r["decode"]]
        for kind, batch, test in tests:
            if test["tokens"] and "step" in test:
                key = (pathlib.Path(r["model"]).name, r["precision"], kind, test["tokens"], batch,
                       test["depth"])
                found.setdefault(key, []).append(test)
    return {key: place(key, tests[0]["step"], statistics.median(t["tps"]["median"] for t in tests))
            for key, tests in found.items()}


def place(key, step, rate):
    _, _, kind, tokens, batch, _ = key
    per_token = step["operations"] / (tokens if kind == "prompt" else batch)
    return (step["operations"] / (step["weight_bytes"] + step["cache_bytes"]),
            rate * per_token / 1e9, rate)


def rival_points(figures, points):
    """The same for the better setting of other programs: their figure over ours at our place."""
    values, best, found = {}, {}, {}
    for f in figures:
        if f["program"] != "Hearth" and f["kind"] in ("prompt", "generate") and not f["busy"]:
            key = (f["program"], f["model"], f["kind"], f["tokens"], f["batch"], f["depth"])
            values.setdefault((key, f["setting"]), []).extend(f["values"])  # of all parts, as ours
    for (key, _), rates in values.items():
        best[key] = max(best.get(key, 0), statistics.median(rates))
    for (program, *row), rate in best.items():
        mine = next((p for k, p in points.items() if [k[0], *k[2:]] == row), None)
        if mine:
            x, y, ours = mine
            found[(row[0], program, *row[1:])] = (x, y * rate / ours, rate)
    return found


class Plane:
    """Both axes are logarithmic; a little air around what is drawn."""

    def __init__(self, points, limits):
        xs = [p[0] for p in points] + [1]
        tops = [limits[k] * 1000 for k in PEAKS.values() if limits.get(k)]
        ys = [p[1] for p in points] + [limits["read_gb_s"]]
        knee = max(tops) / limits["read_gb_s"]
        self.x0, self.x1 = min(xs) / 1.5, max([knee * 3] + [x * 1.5 for x in xs])
        self.y0, self.y1 = min(ys) / 1.5, max(tops + ys) * 1.6

    def x(self, value):
        share = math.log(value / self.x0) / math.log(self.x1 / self.x0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = math.log(value / self.y0) / math.log(self.y1 / self.y0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def ticks(low, high):
    """1, 2 and 5 times powers of ten; the powers alone where those are many."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    found = [m * 10.0 ** e for e in powers for m in (1, 2, 5)]
    inside = [t for t in found if low <= t <= high]
    return inside if len(inside) < 9 else [t for t in inside if f"{t:e}"[0] == "1"]


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'


def axes(plane):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    out = []
    for t in ticks(plane.x0, plane.x1):
        out.append(f'<path d="M{plane.x(t):.1f} {TOP}V{bottom}" stroke="#8883"/>')
        out.append(text(plane.x(t), bottom + 14, f"{t:g}", 'text-anchor="middle"'))
    for t in ticks(plane.y0, plane.y1):
        out.append(f'<path d="M{LEFT} {plane.y(t):.1f}H{right}" stroke="#8883"/>')
        out.append(text(LEFT - 6, plane.y(t) + 4, f"{t:g}", 'text-anchor="end"'))
    out.append(text((LEFT + right) / 2, bottom + 34, "operations per byte",
                    'text-anchor="middle"'))
    out.append(f'<text transform="translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)" '
               f'text-anchor="middle">Gop/s</text>')
    return out


def roofs(plane, limits):
    """The slope up to the highest peak, and each peak from where the slope meets it."""
    bandwidth = limits["read_gb_s"]
    peaks = {name: limits[key] * 1000 for name, key in PEAKS.items() if limits.get(key)}
    start, end = max(plane.x0, plane.y0 / bandwidth), max(peaks.values()) / bandwidth
    out = [f'<path d="M{plane.x(start):.1f} {plane.y(start * bandwidth):.1f}'
           f'L{plane.x(end):.1f} {plane.y(end * bandwidth):.1f}" stroke="#888" '
           f'stroke-width="1.5" fill="none"/>']
    middle = math.sqrt(start * end)
    x, y = plane.x(middle), plane.y(middle * bandwidth)
    angle = math.degrees(math.atan2(y - plane.y(end * bandwidth), plane.x(end) - x))
    out.append(f'<text transform="translate({x:.1f} {y - 7:.1f}) rotate({-angle:.1f})" '
               f'text-anchor="middle">memory {bandwidth:.1f} GB/s</text>')
    for name, peak in peaks.items():
        dashes = "" if peak == max(peaks.values()) else 'stroke-dasharray="5 3"'
        out.append(f'<path d="M{plane.x(peak / bandwidth):.1f} {plane.y(peak):.1f}'
                   f'H{WIDTH - RIGHT}" stroke="#888" stroke-width="1.5" {dashes}/>')
        out.append(text(WIDTH - RIGHT + 6, plane.y(peak) + 4, f"{name} {peak:.0f}"))
    return out


def mark(x, y, kind, batch, paint, title=""):
    inside = f"<title>{html.escape(title)}</title>" if title else ""
    if kind == "prompt":
        return f'<path d="M{x:.1f} {y - 5.5:.1f}l5 9h-10z" {paint}>{inside}</path>'
    if batch > 1:
        return (f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {paint}>'
                f'{inside}</rect>')
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {paint}>{inside}</circle>'


def filled(colour):
    return f'fill="{colour}" stroke="{colour}" stroke-width="1.5"'


def outline(colour, dashes):
    return f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes or "none"}"'


def drawn(plane, points, paint_of):
    """The points, painted as paint_of(model, program or precision) says."""
    out = []
    for (model, who, kind, tokens, batch, depth), (x, y, rate) in points.items():
        title = (f"{model}, {who}: {kind} {tokens}" + (f" x{batch}" if batch > 1 else "")
                 + (f" at {depth}" if depth else "")
                 + f": {rate:.1f} tokens/s, {y:.0f} Gop/s, {x:.1f} operations per byte")
        out.append(mark(plane.x(x), plane.y(y), kind, batch, paint_of(model, who), title))
    return out


def legend(colours, dashes):
    """(rows of marks and words under the plot, their height)"""
    rows = [("generate", 1, filled(colour), model) for model, colour in colours.items()]
    rows += [("generate", 1, filled("#888"), "one sequence"),
             ("generate", 2, filled("#888"), "several side by side"),
             ("prompt", 1, filled("#888"), "prompt")]
    rows += [("generate", 1, outline("#888", dash), name) for name, dash in dashes.items()]
    out = []
    for i, (kind, batch, paint, words) in enumerate(rows):
        x = LEFT + i % LEGEND_COLUMNS * (WIDTH - LEFT) / LEGEND_COLUMNS
        y = HEIGHT + 12 + i // LEGEND_COLUMNS * 18
        out += [mark(x, y, kind, batch, paint), text(x + 12, y + 4, words)]
    return out, 18 * -(-len(rows) // LEGEND_COLUMNS) + 12


def svg(points, rivals, limits, title):
    plane = Plane([*points.values(), *rivals.values()], limits)
    models = dict.fromkeys(key[0] for key in points)
    colours = {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(models)}
    names = dict.fromkeys(key[1] for key in rivals)
    dashes = {name: DASHES[i % len(DASHES)] for i, name in enumerate(names)}
    rows, height = legend(colours, dashes)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + height}" '
           f'font-family="sans-serif" font-size="11" fill="#888">',
           f"<title>{html.escape(title)}</title>", *axes(plane), *roofs(plane, limits),
           *drawn(plane, rivals, lambda model, who: outline(colours[model], dashes[who])),
           *drawn(plane, points, lambda model, who: filled(colours[model])), *rows]
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=pathlib.Path, metavar="FILE.json")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, help="only runs with so many (the most there are)")
    parser.add_argument("--precision", help="only this one")
    parser.add_argument("--models", type=lambda text: text.split(","), metavar="NAME,NAME",
                        help="only files whose names hold one of these")
    parser.add_argument("--rivals", action="store_true", help="the other programs of peers.py too")
    options = parser.parse_args()
    reports, figures = reports_of(options.files)
    threads = options.threads or max((r["threads"] for r in reports), default=0)
    reports = [r for r in reports if r["threads"] == threads
               and options.precision in (None, r["precision"])
               and any(name in pathlib.Path(r["model"]).name for name in options.models or [""])]
    if not reports:
        sys.exit("no run here measures speed of these models with these threads and this precision")
    points = points_of(reports)
    if not points:
        sys.exit('no run here has a "step": measure again with this version of hearth bench')
    limits = {k: statistics.median(r["limits"][k] for r in reports) for k in reports[0]["limits"]}
    figures = [f for f in figures if f["threads"] == threads]
    rivals = rival_points(figures, points) if options.rivals else {}
    options.out.write_text(svg(points, rivals, limits, f"{threads} threads"))


if __name__ == "__main__":
    main()
