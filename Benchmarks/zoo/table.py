"""Writes the table of measured families into docs/models.md: python table.py ZOO_TEST_LOG [RESULTS.jsonl…], where the log is
build/test-logs/zoo_test.log, and the results are those of open_clip_configs.py and texts.py."""
import json, pathlib, re, sys
from collections import defaultdict
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/models.md"
START, END = "<!-- Benchmarks/zoo/table.py writes from here -->", "<!-- to here -->"
rows = []
for name, worst in re.findall(r"^parity zoo/(\S+) (\S+)$", open(sys.argv[1]).read(), re.M): rows.append((f"`{name}`", "fixture, `zoo_test`", "1", worst))
groups = defaultdict(dict)
for path in sys.argv[2:]:
    for line in open(path):
        r = json.loads(line); r["family"] = "SigLIP 2" if "SigLIP2" in r["family"] else "SigLIP" if "SigLIP" in r["family"] else r["family"]
        worst = [r[k]["worst"] for k in ("image", "text") if isinstance(r.get(k), dict)]
        # The last measurement of a model and a seed counts.
        if r["task"] != "open": groups[r["task"], r["family"]][r["name"], r["seed"]] = (max(worst) if worst else None, r["verdict"])
for (task, family), found in sorted(groups.items()):
    bad = sorted({n for (n, _), (w, v) in found.items() if v != "exact"}); good = [w for w, v in found.values() if v == "exact"]
    count = len({n for n, _ in found}); what = f"{count} model{'s' * (count > 1)}, seeds {', '.join(str(s) for s in sorted({s for _, s in found}))}"
    rows.append((family, task, what, (f"{max(good):.1e}" if good else "") + ("; not exact: " + ", ".join(bad) if bad else "")))
table = "\n".join(["| family | compared by | models | largest difference of an element |", "|---|---|---|---|"] + ["| " + " | ".join(r) + " |" for r in rows])
page = PAGE.read_text(); before, rest = page.split(START); after = rest.split(END)[1]
PAGE.write_text(before + START + "\n\n" + table + "\n\n" + END + after)
print(len(rows), "rows")
