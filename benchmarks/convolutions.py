"""Times the convolutions of gen_jax against XLA's plain ones: forward, gradient to the input, gradient to the kernel.

python benchmarks/convolutions.py [--batch 64] [--repeats 7] [--loop 3] [--no-flags]

Each runs `--loop` times inside a `lax.scan`, as training steps do, because XLA's CPU compiles convolutions differently
there; `--loop 0` puts it at the top of the program. The two variants alternate, so that a busy machine slows both;
medians in milliseconds, and GFLOP/s of ours. With `--no-flags` XLA keeps its own defaults instead of the flags that
`gen_jax.core.platform` recommends. Plain gradients in a loop can take minutes: begin with `--repeats 1`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import jax
import jax.numpy as jnp
import tyro
from jax import lax
from rich.console import Console
from rich.table import Table

from gen_jax.core import platform
from gen_jax.nets.conv import conv, conv_transpose
from gen_jax.nets.conv_plain import LAYOUT


@dataclass(frozen=True)
class Settings:
    batch: int = 64
    repeats: int = 7
    loop: int = 3  # runs inside one compiled loop; 0: one run, outside any loop
    flags: bool = True  # use the recommended XLA flags


def plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)


def plain_transpose(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """As `flax.linen.ConvTranspose` writes it: a convolution of the dilated image with a mirrored kernel."""
    mirrored = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    return lax.conv_transpose(x, mirrored, (stride, stride), "SAME", dimension_numbers=LAYOUT)


# name, ours, plain, size of x, channels in and out, kernel, stride
SHAPES = [
    ("conv 4×4 /2", conv, plain, 64, 3, 64, 4, 2),
    ("conv 4×4 /2", conv, plain, 32, 64, 128, 4, 2),
    ("conv 4×4 /2", conv, plain, 16, 128, 256, 4, 2),
    ("conv 4×4 /2", conv, plain, 8, 256, 512, 4, 2),
    ("transposed 4×4 ×2", conv_transpose, plain_transpose, 4, 256, 128, 4, 2),
    ("transposed 4×4 ×2", conv_transpose, plain_transpose, 8, 128, 64, 4, 2),
    ("transposed 4×4 ×2", conv_transpose, plain_transpose, 16, 64, 32, 4, 2),
    ("transposed 4×4 ×2", conv_transpose, plain_transpose, 32, 64, 3, 4, 2),
    ("conv 3×3", conv, plain, 32, 128, 3, 3, 1),
    ("conv 3×3", conv, plain, 32, 3, 128, 3, 1),
    ("conv 3×3", conv, plain, 28, 32, 32, 3, 1),
    ("conv 3×3", conv, plain, 28, 64, 32, 3, 1),
    ("conv 3×3", conv, plain, 16, 128, 128, 3, 1),
    ("conv 3×3", conv, plain, 8, 256, 256, 3, 1),
]


def programs(operation: Callable, x: jax.Array, kernel: jax.Array, stride: int, loop: int) -> list[Callable[[], None]]:
    """Compiled forward pass, input gradient and kernel gradient (of a random cotangent)."""
    g = jax.random.normal(jax.random.key(2), jax.eval_shape(lambda: operation(x, kernel, stride)).shape)
    faces = (
        lambda x, kernel, g: operation(x, kernel, stride),
        lambda x, kernel, g: jax.vjp(lambda x: operation(x, kernel, stride), x)[1](g)[0],
        lambda x, kernel, g: jax.vjp(lambda k: operation(x, k, stride), kernel)[1](g)[0],
    )

    def repeated(face: Callable) -> Callable[[], None]:
        def body(carry, _):
            arrays, found = carry
            nudge = 1e-30 * found.ravel()[0]  # each run needs the last one's result, so none is left out;
            return (tuple(a + nudge for a in arrays), face(*arrays)), None  # carried whole, so no part of it is either

        def program(*arrays):
            nothing = jnp.zeros(jax.eval_shape(face, *arrays).shape)
            return lax.scan(body, (arrays, nothing), length=loop)[0] if loop else face(*arrays)

        compiled = jax.jit(program)
        return lambda: jax.block_until_ready(compiled(x, kernel, g))

    return [repeated(face) for face in faces]


def race(ours: Callable, theirs: Callable, repeats: int) -> tuple[float, float]:
    """Median milliseconds of two programs that take turns, after one run of each to compile."""
    times: tuple[list[float], list[float]] = ([], [])
    ours()
    theirs()
    for _ in range(repeats):
        for program, record in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            program()
            record.append(1e3 * (time.perf_counter() - start))
    return median(times[0]), median(times[1])


def main(settings: Settings) -> None:
    if settings.flags:
        platform.configure()
    table = Table(title=f"Convolutions, batch {settings.batch}, float32, {jax.devices()[0].platform}: ms ours / plain")
    for heading in ("operation", "image", "channels", "forward", "to input", "to kernel", "GFLOP/s of ours"):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    for name, ours, theirs, size, inputs, outputs, window, stride in SHAPES:
        x = jax.random.normal(jax.random.key(0), (settings.batch, size, size, inputs))
        channels = (inputs, outputs) if ours is conv else (outputs, inputs)
        kernel = jax.random.normal(jax.random.key(1), (window, window, *channels)) / window
        # Multiply-adds of one of the three: every output (of a transposed convolution: input) sees every tap.
        positions = (size // stride) ** 2 if ours is conv else size**2
        flops = 2 * settings.batch * positions * window**2 * inputs * outputs
        pairs = zip(
            programs(ours, x, kernel, stride, settings.loop),
            programs(theirs, x, kernel, stride, settings.loop),
            strict=True,
        )
        results = [race(mine, other, settings.repeats) for mine, other in pairs]
        results = [(mine / max(settings.loop, 1), other / max(settings.loop, 1)) for mine, other in results]
        cells = [f"{mine:.1f} / {other:.1f}" for mine, other in results]
        rates = " ".join(f"{flops / mine / 1e6:.0f}" for mine, _ in results)
        table.add_row(name, f"{size}", f"{inputs}→{outputs}", *cells, rates)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tyro.cli(Settings))
