"""The process that runs one measure:

python -m benchmarks.measures '{"name": "loop", "repeats": 7, "seconds": 2.0}'
"""

import importlib
import json
import sys

from benchmarks import protocol
from gen_jax.core.platform import configure


def main() -> None:
    spec = json.loads(sys.argv[1])
    lines = protocol.Lines()
    configure()
    lines.ready(**importlib.import_module(f"benchmarks.cases.{spec['name']}").measure(spec))
    lines.serve(lambda count: 0.0, protocol.peak_mib)


if __name__ == "__main__":
    main()
