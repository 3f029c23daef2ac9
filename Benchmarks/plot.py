#!/usr/bin/env python3
"""Draw docs/performance.svg, cost by batch, image size and threads, from lines of `clip bench --json`.

    python3 plot.py curves.txt docs/performance.svg

Each line of curves.txt is "size SIDE THREADS JSON", "batch THREADS JSON" or "text THREADS JSON".
"""
import json
import sys


def read(path):
    series = {"size": {}, "batch": {}, "text": {}}
    for line in open(path):
        words = line.split(maxsplit=3 if line.startswith("size") else 2)
        if words[0] not in series:
            continue
        measured = json.loads(words[-1])
        x = int(words[1]) if words[0] == "size" else measured["batch"]
        series[words[0]].setdefault(measured["threads"], []).append((x, measured["ms"]))
    return series


def panel(left, title, xlabel, curves, position):
    width, height, top = 240, 190, 46
    xs = sorted({x for points in curves.values() for x, _ in points})
    most = max(y for points in curves.values() for _, y in points) * 1.1
    out = [f'<text x="{left}" y="24" class="title">{title}</text>']
    for step in range(5):
        value = most * step / 4
        y = top + height - height * step / 4
        out.append(f'<path d="M{left} {y:.1f}h{width}" class="grid"/><text x="{left - 6}" y="{y + 4:.1f}" class="y">{value:.0f}</text>')
    for x in xs:
        px = left + position(x, xs) * width
        out.append(f'<text x="{px:.1f}" y="{top + height + 16}" class="x">{x}</text>')
    out.append(f'<text x="{left + width / 2}" y="{top + height + 34}" class="x">{xlabel}</text>')
    for threads, points in sorted(curves.items()):
        path = " ".join(f"{left + position(x, xs) * width:.1f},{top + height - height * y / most:.1f}" for x, y in sorted(points))
        out.append(f'<polyline points="{path}" class="t{threads}"/>')
        x, y = sorted(points)[-1]
        out.append(f'<text x="{left + width + 5}" y="{top + height - height * y / most + 4:.1f}" class="l{threads}">{threads} thread{"s" if threads > 1 else ""}</text>')
    return out


def main():
    series = read(sys.argv[1])
    even = lambda x, xs: xs.index(x) / max(1, len(xs) - 1)
    linear = lambda x, xs: (x - xs[0]) / max(1, xs[-1] - xs[0])
    parts = (panel(50, "ms an image, by batch", "images in a batch", series["batch"], even)
             + panel(400, "ms an image, by its side", "pixels", series["size"], linear)
             + panel(750, "ms a 7-token caption, by batch", "captions in a batch", series["text"], even))
    style = """<style>text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}.x{text-anchor:middle}
.y{text-anchor:end}.grid{stroke:#8884;fill:none}polyline{fill:none;stroke-width:2}.t1{stroke:#c2410c}.t2{stroke:#1d4ed8}
.l1{fill:#c2410c}.l2{fill:#1d4ed8}svg{background:#fff}
@media(prefers-color-scheme:dark){svg{background:#16181d}text{fill:#ddd}.t1{stroke:#fb923c}.t2{stroke:#60a5fa}.l1{fill:#fb923c}.l2{fill:#60a5fa}}</style>"""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1070 280" width="1070" height="280" role="img">{style}{"".join(parts)}</svg>'
    open(sys.argv[2], "w").write(svg + "\n")


if __name__ == "__main__":
    main()
