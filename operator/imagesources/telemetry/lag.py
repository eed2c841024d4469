"""How late the event loop is: a loop that is kept busy delays every source at once."""

import asyncio

from imagesources.telemetry.metrics import LOOP_LAG

_EVERY = 0.5


async def watch_lag() -> None:
    """Measure, for ever, how much later than asked for a sleep ends."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY
        await asyncio.sleep(_EVERY)
        LOOP_LAG.observe(max(0.0, loop.time() - due))
