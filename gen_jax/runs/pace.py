"""How long a compiled call is: seconds, so that a signal is heard soon whatever a round takes."""

import os
import time
from collections.abc import Hashable

from gen_jax.core import processes

# Of one compiled call: a signal is heard after it and the one begun. A scheduler that takes the machine waits less
# long than a person who has been told that the signal was heard.
PREEMPTED_SECONDS, CALL_SECONDS = 3.0, 10.0
SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "KUBERNETES_SERVICE_HOST")


class Pace:
    """How many rounds the next compiled call runs: what takes so many seconds, `most` at most; one at first.

    Runs whose calls are made as one share one, and with it the number.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self.rounds = 1
        self._at, self._said = time.monotonic(), set[Hashable]()

    def done(self, rounds: int, run: Hashable = None) -> None:
        """This run has finished so many rounds since the last time. Of runs that share this, one says so of them all:
        the first that has said so before, wherever each of them stands and whichever ends."""
        if self._said and run not in self._said:
            self._said.add(run)
            return
        now = time.monotonic()
        fits = int(self._seconds * rounds / max(now - self._at, 1e-6))
        self.rounds = max(1, min(self._most, fits, 4 * self.rounds))
        self._at, self._said = now, {run}

    def begin(self) -> None:
        """What was done since the last call (a picture, a checkpoint) is no part of the next one."""
        self._at = time.monotonic()


def own(most: int) -> Pace:
    """The pace of this process: its calls are shorter where somebody else may end it, a scheduler or another process
    of the run."""
    preemptible = processes.together() or any(os.environ.get(name) for name in SCHEDULERS)
    return Pace(most, PREEMPTED_SECONDS if preemptible else CALL_SECONDS)
