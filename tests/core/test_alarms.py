"""XLA's alarms of slow operations are taken out of standard error while we say that we compile; nothing else is."""

import os
import subprocess
import sys

from gen_jax.core.alarms import Filter

COMPILING = """E1127 17:12:34.485027   23036 slow_operation_alarm.cc:73] 
********************************
[Compiling module jit_init for CPU] Very slow compile? If you want to file a bug, run with envvar XLA_FLAGS=--xla_dump_to=/tmp/foo and attach the results.
********************************
"""  # noqa: E501, W291
TOOK = COMPILING.replace("cc:73] \n", "cc:140] The operation took 5m16.553294064s\n\n")
FOLDING = """E1127 23:52:37.813590    4980 slow_operation_alarm.cc:73] Constant folding an instruction is taking > 1s:

  %reduce = f32[] reduce-window(%iota)

This isn't necessarily a bug.

If you'd like to file a bug, run with envvar XLA_FLAGS=--xla_dump_to=/tmp/foo and attach the results.
"""
ERROR = "E1127 17:12:35.000000   23036 cuda.cc:7] no kernel image\n********************************\n"


def kept(text):
    lines = Filter()
    return "".join(line for line in text.splitlines(keepends=True) if lines.keeps(line.encode()))


def test_alarms_go_and_all_else_stays():
    assert kept(COMPILING + TOOK + FOLDING) == ""
    assert kept("one\n" + COMPILING + ERROR + TOOK + "two\n" + FOLDING + ERROR) == f"one\n{ERROR}two\n{ERROR}"
    assert kept(FOLDING[:120] + "\n" + ERROR) == ERROR  # one that was cut off


def test_of_a_process(tmp_path):
    """What native code writes is filtered, what Python writes comes past, and both after the block as before."""
    code = f"""
import os, sys
from gen_jax.core.alarms import hushed
def native(text): os.write(2, text.encode())
native("before\\n")
with hushed():
    native({COMPILING!r})
    print("own", file=sys.stderr)
    native({ERROR!r})
native({COMPILING!r})
print("after", file=sys.stderr)
try:
    with hushed():
        native("last\\n")
        raise SystemExit(3)
finally:
    native("end\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert sorted(done.stderr.splitlines()) == sorted(
        ["before", "own", *ERROR.splitlines(), *COMPILING.splitlines(), "after", "last", "end"]
    )
    assert done.stderr.endswith("last\nend\n")


def test_descriptors_are_given_back():
    from gen_jax.core.alarms import hushed

    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(3):
        with hushed():
            pass
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before
