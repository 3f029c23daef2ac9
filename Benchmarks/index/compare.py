"""Exact search of the best 10 with libclipindex, FAISS's flat indexes and NumPy, in one run, and recall.

    python compare.py BENCH FOLDER [ROWS [WIDTH [THREADS [CENTRES]]]]     needs numpy and faiss-cpu

BENCH is the program made of bench.c; FOLDER keeps vectors and indexes for the next run. Vectors are random, of unit
length, about CENTRES (1000) centres, so that neighbours are near as they are among photographs; 0: in all directions."""

import os
import subprocess
import sys
import time

bench, folder = sys.argv[1], sys.argv[2]
rows, width, threads, centre_count = (int(x) for x in sys.argv[3:] + ["1000000", "512", "2", "1000"][len(sys.argv) - 3 :])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(threads)
import faiss  # noqa: E402
import numpy as np  # noqa: E402

faiss.omp_set_num_threads(threads)
queries = 100
path = os.path.join(folder, f"vectors-{rows}-{width}-{centre_count}.f16")
if not os.path.exists(path):
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((centre_count, width), dtype=np.float32)
    with open(path, "wb") as file:
        for first in range(0, rows + queries, 10000):
            count = min(10000, rows + queries - first)
            block = 1.5 * rng.standard_normal((count, width), dtype=np.float32)
            if centre_count:
                block += centres[rng.integers(centre_count, size=count)]
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            file.write(block.astype(np.float16).tobytes())


def timed(name, search, rounds=11):
    times = []
    for i in range(rounds):
        begin = time.perf_counter()
        search(i)
        times.append(time.perf_counter() - begin)
    print(f"{name}: {sorted(times)[rounds // 2] * 1e3:.2f} ms, least {min(times) * 1e3:.2f}", flush=True)


vectors = np.fromfile(path, dtype=np.float16).reshape(-1, width)
base, query = vectors[:-queries], vectors[-queries:].astype(np.float32)
wide = base.astype(np.float32)
flat = faiss.IndexFlatIP(width)
flat.add(wide)
exact = flat.search(query, 10)[1]
timed("FAISS flat, float32", lambda i: flat.search(query[i : i + 1], 10))
timed("NumPy, float32", lambda i: np.argpartition(wide @ query[i], -10)[-10:])
del flat
half = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
half.train(wide[:1000])
half.add(wide)
timed("FAISS flat, F16", lambda i: half.search(query[i : i + 1], 10))
del half, wide
for storage in ("f32", "f16", "int8"):
    index = os.path.join(folder, f"{storage}-{rows}-{width}-{centre_count}.index")
    output = subprocess.run([bench, path, str(width), index, storage, str(threads)], check=True, capture_output=True, text=True).stdout
    lines = output.splitlines()
    found = [set(map(int, line.split()[1:])) for line in lines if line.startswith("found")]
    recall = np.mean([len(found[i] & set(exact[i].tolist())) / 10 for i in range(queries)])
    print(f"libclipindex {storage}: " + "; ".join(x for x in lines if not x.startswith("found")) + f"; recall at 10 {recall:.4f}", flush=True)
