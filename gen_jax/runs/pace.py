"""How long a compiled call is: seconds, so that a signal is heard soon whatever a round takes."""

import os
import time

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
        self._at, self._step = time.monotonic(), 0

    def done(self, rounds: int, step: int) -> None:
        """So many rounds were finished since the last time, and with them this step: of runs that share this, the first
        says so."""
        if step <= self._step:
            return
        now = time.monotonic()
        fits = int(self._seconds * rounds / max(now - self._at, 1e-6))
        self.rounds = max(1, min(self._most, fits, 4 * self.rounds))
        self._at, self._step = now, step

    def begin(self) -> None:
        """What was done since the last call (a picture, a checkpoint) is no part of the next one."""
        self._at = time.monotonic()


def own(most: int) -> Pace:
    """The pace of this process: its calls are shorter where somebody else may end it, a scheduler or another process
    of the run."""
    preemptible = processes.together() or any(os.environ.get(name) for name in SCHEDULERS)
    return Pace(most, PREEMPTED_SECONDS if preemptible else CALL_SECONDS)
