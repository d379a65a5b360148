"""An intake in a process of its own, for tests that kill it. Its argument is the settings as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from agents.intake.loop import Intake
from schemas.settings import settings_from


async def main() -> None:
    intake = Intake(settings_from(json.loads(sys.argv[1])))
    await intake.start()
    await intake.run()


if __name__ == "__main__":
    asyncio.run(main())
