"""One axis, in a process of its own: `python -m tests.benchmarks.growth NAME JSON` prints its rows as JSON."""

from __future__ import annotations

import json
import sys

from tests.benchmarks.growth.axes import IN_PROCESS
from tests.benchmarks.growth.rounds import as_the_worker_does

if __name__ == "__main__":
    as_the_worker_does()
    print(json.dumps(IN_PROCESS[sys.argv[1]](**json.loads(sys.argv[2]))))
