"""Measures the lists of an embedded platform: ``python -m tests.benchmark.lists``.

A database is filled and served by a process of its own, as ``imagesource-operator serve`` does. Each case is measured
in several short bursts over a few kept-alive connections, each beside a burst to a trivial handler of the same server,
the floor, so that both meet the same machine. What is printed are the medians of requests per second of both, and of
their ratio; and the processor time of the server for each request, which a busy machine changes least (on Linux).
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.benchmark.cases import FLOOR, Case, cases
from tests.benchmark.fill import fill
from tests.benchmark.load import Load
from tests.support.embedded import write
from tests.support.postgres import PostgresServer
from tests.support.serving import serving
from yarl import URL


async def measure(database: str, folder: Path, options: argparse.Namespace) -> None:
    """Fills a database, serves it, and prints the figures of each case.

    Args:
        database: URL of an empty one.
        folder: for the server's log.
        options: of the command.
    """
    started = perf_counter()
    await write(database, partial(fill, count=options.sources))
    print(
        f"{options.sources} sources on {URL(database).scheme}, filled in {perf_counter() - started:.0f} s", flush=True
    )
    async with serving(database, folder) as server:
        url = URL(server.api.url)
        load = Load(url.host or "", url.port or 0)
        await load.open()
        try:
            print(f"{'':60} {'req/s':>8} {'floor':>8} {'ratio':>7} {'CPU ms':>7} {'KiB':>6}")
            for case in cases(options.sources):
                if options.only in case.name:
                    await _print(load, server.process.pid, case, [options.seconds / options.rounds] * options.rounds)
        finally:
            await load.close()
        assert await server.end(signal.SIGTERM) == 0


async def _print(load: Load, pid: int, case: Case, bursts: list[float]) -> None:
    request, floor_request = case.request(), Case("floor", FLOOR).request()
    size = (await load.burst(request, 0)).size
    rates, floors, used, requests = [], [], 0.0, 0
    for seconds in bursts:
        floors.append((await load.burst(floor_request, seconds / 2)).rate)
        before = _processor_seconds(pid)
        done = await load.burst(request, seconds)
        used += _processor_seconds(pid) - before
        requests += done.requests
        rates.append(done.rate)
    ratio = median(rate / floor for rate, floor in zip(rates, floors, strict=True))
    cost = 1000 * used / requests
    figures = f"{median(rates):8.0f} {median(floors):8.0f} {ratio:7.3f} {cost:7.2f} {size / 1024:6.1f}"
    print(f"{case.name:60} {figures}", flush=True)


def _processor_seconds(pid: int) -> float:
    """Returns the processor time that a process has used; 0 where the system does not tell."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextmanager
def _database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    with ExitStack() as stack:
        if not postgresql:
            yield f"sqlite:///{folder / 'benchmark.db'}"
            return
        server = stack.enter_context(PostgresServer(durable=True))
        yield server.url(server.create())


def main(arguments: list[str]) -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(prog="tests.benchmark.lists", description=__doc__)
    parser.add_argument("--sources", type=int, default=10_000, help="how many there are (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each case (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="bursts for each case (default: %(default)s)")
    parser.add_argument("--only", default="", help="measure the cases with these words in their names")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL; SQLite is the default")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, _database(Path(name), postgresql=options.postgresql) as database:
        asyncio.run(measure(database, Path(name), options))


if __name__ == "__main__":
    main(sys.argv[1:])
