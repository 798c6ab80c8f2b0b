"""The verbs: `python -m gen_jax VERB RUN …`. Each is a function of gen_jax/verbs whose arguments are its options."""

import sys

GROUPS = {
    "What it is": ("info", "report", "diagnose"),
    "What it makes": ("sample", "reconstruct", "interpolate", "traverse", "latents", "complete", "export"),
    "How good it is": ("evaluate", "score", "audit", "compare", "reproduce"),
    "Many runs": ("ablate", "launch"),
    "Data and features": ("prepare", "convert-inception"),
}


def main() -> None:
    """Read the command line and run one verb. Exits 0; 2 with one line on a usage error; 1 where something failed."""
    from gen_jax.runs import signals

    signals.quit_at_once()  # while modules are imported
    from gen_jax.runs.exits import exit_with

    with exit_with():  # imports included: Ctrl-C may come at any time
        _run(sys.argv[1:] or ["--help"])


def _run(arguments: list[str]) -> None:
    if arguments[0] == "--version":
        import gen_jax

        print(gen_jax.__version__)
        return
    from gen_jax.runs import command, signals
    from gen_jax.verbs import ablate as ablate_
    from gen_jax.verbs import launch as launch_
    from gen_jax.verbs.ablate import ablate
    from gen_jax.verbs.audit import audit
    from gen_jax.verbs.compare import compare
    from gen_jax.verbs.complete import complete
    from gen_jax.verbs.convert_inception import convert_inception
    from gen_jax.verbs.diagnose import diagnose
    from gen_jax.verbs.evaluate import evaluate
    from gen_jax.verbs.export import export
    from gen_jax.verbs.info import info
    from gen_jax.verbs.interpolate import interpolate
    from gen_jax.verbs.latents import latents
    from gen_jax.verbs.launch import launch
    from gen_jax.verbs.prepare import prepare
    from gen_jax.verbs.reconstruct import reconstruct
    from gen_jax.verbs.report import report
    from gen_jax.verbs.reproduce import reproduce
    from gen_jax.verbs.sample import sample
    from gen_jax.verbs.score import score
    from gen_jax.verbs.traverse import traverse

    signals.interrupt_again()  # a verb cleans up after itself
    verbs = (
        info,
        sample,
        reconstruct,
        complete,
        interpolate,
        traverse,
        latents,
        evaluate,
        score,
        audit,
        diagnose,
        report,
        compare,
        export,
        reproduce,
        ablate,
        launch,
        prepare,
    )
    verbs = (*verbs, convert_inception)
    if arguments[0] == "ablate":  # its command line ends in the experiment's own flags
        ablate_.main(arguments[1:])
        return
    if arguments[0] == "launch":  # likewise
        launch_.main(arguments[1:])
        return
    command.verb(verbs, arguments, prog="python -m gen_jax", groups=GROUPS)


if __name__ == "__main__":
    main()
