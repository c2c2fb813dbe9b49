#!/usr/bin/env python3
"""Many waits in a process of their own, for bench.py: scripts/bench_waits.py TASKS.

All are created at once, run for ten minutes and are waited for together, with a simulator in the process and a clock that jumps. Prints the
requests and the milliseconds of CPU for each task, those of the simulator left out, and the megabytes that the process grew by meanwhile.
"""

from __future__ import annotations

import io
import json
import sys
import time

import httpx
from bench_transfers import TOKEN, memory

from useapi_runwayml import RunwayClient
from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport


class Timed(SimulatorTransport):
    """Knows what the simulator had of the processor."""

    spent = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        begun = time.process_time()
        try:
            return super().handle_request(request)
        finally:
            self.spent += time.process_time() - begun


def main(tasks: int) -> None:
    simulator, clock = Simulator(max_jobs=tasks, credits=10**9, task_seconds=600), ManualClock()
    transport = Timed(simulator, clock)
    with httpx.Client(transport=transport) as http_client:
        runway = RunwayClient(TOKEN, base_url="http://runway.simulator/v1/runwayml", http_client=http_client)
        runway._use_clock(clock)
        asset = runway.assets.upload(io.BytesIO(b"x"), name="a.mp4")
        created = [runway.video_to_video.create(asset_id=asset.asset_id, text_prompt="x") for _ in range(tasks)]
        assert simulator.requests
        simulator.requests.clear()
        before, begun, theirs = memory(), time.process_time(), transport.spent
        assert len(list(runway.tasks.as_completed(created))) == tasks
        spent = time.process_time() - begun - (transport.spent - theirs)
        requests = len(simulator.requests)
    told = {"requests": requests / tasks, "milliseconds": spent / tasks * 1000, "megabytes": memory() - before}
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]))
