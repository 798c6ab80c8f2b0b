"""Every rule on made-up metrics: it fires where it should, keeps silent where it should, and advises what exists."""

import io
import json

import numpy as np
import pytest

from gen_jax.runs import diagnosis, log
from gen_jax.runs.diagnosis import RULES, examine, summary
from gen_jax.runs.log import Series
from gen_jax.runs.watching.monitor import Monitor

RULE = {rule.name: rule for rule in RULES}


def series(values, every=50):
    values = np.asarray(values, float)
    return Series(np.arange(1, len(values) + 1) * every, values)


def metrics(**named):
    """Metrics by name, `__` for the slash."""
    return {name.replace("__", "/"): series(values) for name, values in named.items()}


def decay(last, count=20):
    return np.geomspace(1.0, last, count)


RISING = [0.19, 0.18, 0.29, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0]  # what a DCGAN does in its first 500 steps
BROKEN = {
    "vanishing_gradient": metrics(gradient_norm__generator=decay(1e-5)),
    "exploding_gradients": metrics(gradient_norm__discriminator=decay(1e7)),
    "mode_collapse": metrics(diversity__pairwise=decay(0.01), diversity__nearest=decay(0.01)),
    "dropped_modes": metrics(samples__modes=[1.0, 0.5, 0.75, 0.5]),
    "overfitting": metrics(
        train__logits__real=[1, 2, 3, 3], held_out__logits__real=[1, 0, -2, -2], held_out__logits__fake=[-1, -2, -3, -3]
    ),
    "oscillation": metrics(
        samples__distance=[0.1] * 4, samples__distance_raw=[0.9, 0.2, 1.1, 0.8], gradient_norm__discriminator=[1] * 4
    ),
    "posterior_collapse": metrics(active_share=[0.0] * 8, active_units=[0.0] * 8, kl=[0.1] * 8),
    "aggregate_mismatch": metrics(
        latents__distance=[2, 3, 4], samples__distance=[1, 1, 1], reconstructions__distance=[0.01] * 3
    ),
    "blur": metrics(high_frequency__reconstructions=[0.01] * 8),
    "memorisation": metrics(samples__copied=[0.0, 0.4, 0.6], samples__copied_held_out=[0.01] * 3),
}
HEALTHY = {
    "vanishing_gradient": metrics(gradient_norm__generator=np.geomspace(5, 0.5, 20)),
    "exploding_gradients": metrics(gradient_norm__discriminator=decay(20), nonfinite__total=np.zeros(20)),
    # Collapsed at first, as all generators are.
    "mode_collapse": metrics(diversity__pairwise=RISING, diversity__nearest=RISING),
    "dropped_modes": metrics(
        samples__modes=[0.2, 0.8, 1, 1], samples__rarest_class=[0, 0.4, 0.5, 0.6], samples__coverage=[0, 0.5, 0.8, 0.9]
    ),
    "overfitting": metrics(
        train__logits__real=[1, 2, 3, 3], held_out__logits__real=[1, 2, 2.5, 2], held_out__logits__fake=[-1, -2, -3, -3]
    ),
    "oscillation": metrics(
        samples__distance=[0.1] * 4, samples__distance_raw=[0.12, 0.11, 0.2, 0.1], gradient_norm__discriminator=[1] * 4
    ),
    "posterior_collapse": metrics(active_share=[0.0, 0.1, 0.5, 0.8, 1, 1, 1], active_units=[8.0] * 7, kl=[20] * 7),
    "aggregate_mismatch": metrics(
        latents__distance=[0.3, 0.2, 0.1], samples__distance=[1, 0.5, 0.2], reconstructions__distance=[0.5, 0.2, 0.01]
    ),
    "blur": metrics(high_frequency__reconstructions=np.linspace(0.1, 0.5, 8)),
    "memorisation": metrics(samples__copied=[0.02, 0.05, 0.04], samples__copied_held_out=[0.01] * 3),
}


def test_every_rule_has_its_cases():
    assert set(BROKEN) == set(HEALTHY) == set(RULE)


@pytest.mark.parametrize("name", RULE)
def test_a_rule_fires_on_its_own_failure_and_no_other_does(name):
    found = examine(BROKEN[name])
    assert [finding.rule.name for finding in found.findings] == [name]
    finding = found.findings[0]
    assert finding.lasting
    assert 0 < finding.since <= finding.sight.step <= found.step
    for said in (RULE[name].title, "threshold", "try"):
        assert said in finding.line()


@pytest.mark.parametrize("name", RULE)
def test_a_rule_is_silent_on_health_and_where_nothing_was_logged(name):
    found = examine(HEALTHY[name])
    assert name in found.seen  # it has looked
    assert found.findings == ()
    assert RULE[name].look({}) is None
    assert RULE[name].look({key: Series(s.steps[:1], s.values[:1] * np.nan) for key, s in HEALTHY[name].items()}) in (
        None,
        *found.seen.values(),
    )


UNEVEN = {
    # Evaluations that differ: the extremes of each number are those of different ones.
    "overfitting": (
        metrics(
            train__logits__real=[1, 8, 4], held_out__logits__real=[1, -4, -9], held_out__logits__fake=[-1, -3, -2],
            logits__real_sign=[0.2, 0.4, 0.9],
        ),
        "D's mean logit is 8 on training and -4 on held-out examples, -3 on samples: r_v = 1.1 (r_t = 0.4; ADA aims",
    ),
    "oscillation": (
        metrics(
            samples__distance=[0.1, 0.2, 0.05], samples__distance_raw=[0.9, 0.9, 0.4],
            gradient_norm__discriminator=[1] * 3,
        ),
        "8 times as far from the data as those of the averaged weights (0.4 against 0.05)",
    ),
    "aggregate_mismatch": (
        metrics(
            latents__distance=[2, 3, 4], samples__distance=[1, 2, 3], reconstructions__distance=[0.1, 0.05, 0.3]
        ),
        "q(z) is 4 of the prior's variance away from the prior; samples are 3 from the data and reconstructions 0.3,",
    ),
    "mode_collapse": (
        metrics(
            diversity__pairwise=[0.05, 0.04, 0.03, 0.02, 0.01, 0.03], diversity__nearest=[0.5, 0.6, 0.7, 0.8, 0.9, 0.2]
        ),
        "samples are 0.03 times as far apart as the data, and 0.7 times as far from the sample next to them",
    ),
    "posterior_collapse": (
        metrics(
            active_share=[0.5, 0.5, 0.5, 1, 1, 1], active_units=[4, 4, 4, 8, 8, 8], kl=[0.1, 0.2, 0.3, 0.4, 0.35, 0.25]
        ),
        "8 of 8 latent units are active, and the KL is 0.25 nats",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNEVEN)
def test_the_numbers_of_a_finding_are_those_of_one_evaluation(name):
    measured, words = UNEVEN[name]
    (finding,) = [each for each in examine(measured).findings if each.rule.name == name]
    assert words in finding.sight.saw


def test_what_has_passed_is_told_as_past():
    values = [1, 1, 1, 0.2, 0.2, 0.2, 1, 1, 1, 1]
    (finding,) = examine(metrics(samples__modes=values)).findings
    assert not finding.lasting
    assert (finding.since, finding.until) == (300, 300)  # the one moment at which the last three all lacked modes
    assert "then gone" in finding.line()


def test_a_skipped_step_counts_as_exploding_whatever_the_norms_say():
    found = examine(metrics(gradient_norm__encoder=[1.0] * 9 + [np.nan], nonfinite__total=[0.0] * 9 + [3.0]))
    assert [f.rule.name for f in found.findings] == ["exploding_gradients"]
    assert "3 steps skipped as not finite, first by step 500" in found.findings[0].sight.saw


def test_a_player_that_rests_at_first_does_not_explode_when_it_begins():
    at_rest = examine(metrics(gradient_norm__prior=[0.0] * 10 + [2.0] * 10))
    assert "exploding_gradients" not in [f.rule.name for f in at_rest.findings]
    then = examine(metrics(gradient_norm__prior=[0.0] * 10 + [*np.geomspace(1.0, 1e7, 20)]))
    assert "exploding_gradients" in [f.rule.name for f in then.findings]


def test_the_monitor_says_each_thing_once_and_ends_where_diagnose_ends(tmp_path):
    said = io.StringIO()
    monitor = Monitor(tmp_path, 0, stream=said)
    with log.Log(tmp_path, 0, 1, 1000, to="", quiet=True) as lines:
        for step in range(100, 1001, 100):
            lines.write(step, {"gradient_norm/generator": 1.0})
            lines.write(step, {"held_out/loss": 0.0, "samples/modes": 0.5 if step < 800 else 1.0})
            monitor.check()
    assert said.getvalue().count("diagnosis: dropped modes") == said.getvalue().count("\n") == 1
    written = json.loads((tmp_path / "diagnosis.json").read_text())
    assert written == json.loads(json.dumps(summary(examine(log.read_metrics(tmp_path)))))
    assert [(f["rule"], f["since"], f["until"]) for f in written["findings"]] == [("dropped_modes", 300, 700)]
    again = io.StringIO()
    Monitor(tmp_path, 1000, stream=again).check()  # the run is continued: nothing is new
    assert again.getvalue() == ""


def test_findings_reach_the_summary_in_full():
    found = diagnosis.summary(examine(BROKEN["blur"]))
    (row,) = found["findings"]
    assert row["value"] == pytest.approx(0.01)
    assert row["try"][0]["command"].startswith("experiments/")
    assert len(found["looked_at"]) == len(RULES)
    assert [r["rule"] for r in found["looked_at"] if r["saw"]] == ["blur"]


def test_where_there_is_nothing_to_look_at_it_says_why():
    short = {"loss/d": Series(np.array([50]), np.zeros(1))}
    assert diagnosis.too_few(short, {"log_every": 50}) == (
        "nothing to look at yet: a sign takes 5 logged values, and there is 1: with --log-every 50, from step 250 on"
    )
    long = {"loss/d": Series(np.arange(9), np.zeros(9))}
    assert "does not log what shows" in diagnosis.too_few(long, {})
