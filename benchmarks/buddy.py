"""The allocator against a plain buddy of dicts and sets, in one run: 60 % allocations, orders 0 to 3, 1 Mi pages."""

import random
import statistics
import time

from mmsim import Machine
from mmsim.mm.gfp import gfp
from mmsim.mm.page_alloc import alloc_pages, free_pages

OPERATIONS = 300_000
ROUNDS = 5
PAGES = 1 << 20


class PlainBuddy:
    """No zones, no types, no per-cpu lists, no page states."""

    def __init__(self, pages):
        self.free_lists = [set() for _ in range(11)]
        self.free_lists[10].update(range(0, pages, 1024))

    def alloc(self, order):
        for current in range(order, 11):
            if self.free_lists[current]:
                pfn = self.free_lists[current].pop()
                while current > order:
                    current -= 1
                    self.free_lists[current].add(pfn + (1 << current))
                return pfn
        return None

    def free(self, pfn, order):
        while order < 10:
            buddy = pfn ^ (1 << order)
            if buddy not in self.free_lists[order]:
                break
            self.free_lists[order].discard(buddy)
            pfn &= buddy
            order += 1
        self.free_lists[order].add(pfn)


def script(seed):
    """What to do: an order to allocate, or None to free what was allocated at a random place."""
    rng = random.Random(seed)
    return [(rng.randrange(4) if rng.random() < 0.6 else None, rng.random()) for _ in range(OPERATIONS)]


def drive(alloc, free, todo):
    """Seconds that the script takes."""
    held = []
    start = time.perf_counter()
    for order, where in todo:
        if order is None:
            if held:
                index = int(where * len(held))
                held[index], held[-1] = held[-1], held[index]
                free(*held.pop())
        else:
            held.append((alloc(order), order))
    return time.perf_counter() - start


def ours(todo):
    """The model's allocator."""
    k = Machine(boot_memory=PAGES << 12, zone_of=[(0, PAGES, "Normal")]).kernel
    mask = gfp("GFP_KERNEL")
    return drive(lambda order: alloc_pages(k, mask, order), lambda pfn, order: free_pages(k, pfn, order), todo)


def plain(todo):
    """The plain one, called the same way."""
    buddy = PlainBuddy(PAGES)
    return drive(lambda order: buddy.alloc(order), lambda pfn, order: buddy.free(pfn, order), todo)


def main():
    """Print operations a second and the ratio, medians of interleaved rounds."""
    times = [(plain(todo), ours(todo)) for todo in map(script, range(ROUNDS))]
    base, model = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / m for b, m in times)
    print(f"plain dict-of-sets buddy: {OPERATIONS / base / 1e6:.2f} M operations/s")
    print(f"mmsim (zones, types, per-cpu lists, page states): {OPERATIONS / model / 1e6:.2f} M operations/s")
    print(f"ratio mmsim / plain: {ratio:.2f}")


if __name__ == "__main__":
    main()
