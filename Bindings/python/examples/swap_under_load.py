"""Replaces the towers of a model while threads use it.   swap_under_load.py MODEL IMAGE"""

import sys
import threading

import clipcore


def main(folder: str, image: str) -> None:
    model = clipcore.Model(folder, clipcore.Runtime(threads=1))
    expected = bytes(memoryview(model.encode_images([image])))
    stop, counts, wrong = threading.Event(), [], []

    def use() -> None:
        count = 0
        while not stop.is_set():
            if bytes(memoryview(model.encode_images([image]))) != expected:
                wrong.append(count)
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        model.swap()  # the same weights again; clipcore.Tower.IMAGE and a folder bring others
    stop.set()
    for thread in threads:
        thread.join()
    print(f"10 swaps, {sum(counts)} calls meanwhile, {len(wrong)} wrong")


main(*sys.argv[1:])
