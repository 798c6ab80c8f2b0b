"""The protocol: what is measured agrees with the measures themselves, stamps tell runs apart, nothing is done twice."""

import dataclasses
import json
from collections.abc import Mapping
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_subjects import CONFIG, copier, drawing, gan, images, made, subject, vae, weights

from gen_jax.core.errors import UserError
from gen_jax.core.types import Sampler
from gen_jax.data import load, source, toy
from gen_jax.metrics import frechet, lenet, prdc
from gen_jax.runs import drawing as asked
from gen_jax.runs.evaluation import protocol, samplers, scores
from gen_jax.runs.evaluation.cache import key_of
from gen_jax.runs.evaluation.metric import Metric, Value

MODEL = protocol.Model(10, "ema", "abc")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def plain():
    """One subject that several tests look at: features and samples made once."""
    return subject()


def run(one, names, path, model=MODEL):
    return protocol.run(one, protocol.requested(names, one), model, path, say=lambda line: None)


def values(found):
    return {result["name"]: result["value"] for result in found["results"]}


# ---- numbers ---------------------------------------------------------------------------------------------------------
def test_scores_are_those_of_the_measures(plain, tmp_path):
    found = run(plain, "fd,precision,recall,density,coverage,held_out", tmp_path / "e.json")
    real = plain.extractor.apply(plain.source.test.arrays["x"])
    fakes = [plain.extractor.apply(plain.images(100, repeat)[0]) for repeat in range(2)]
    fd = [frechet.distance(frechet.moments_of(f), frechet.moments_of(real)) for f in fakes]
    assert fd[0] != fd[1]  # the repeated sample sets are different ones
    assert values(found)["FD-PCA"] == pytest.approx(np.mean(fd), rel=1e-6)
    assert values(found)["precision (PCA)"] == pytest.approx(np.mean([prdc.prdc(real, f, 3).precision for f in fakes]))
    assert values(found)["coverage (PCA)"] == pytest.approx(np.mean([prdc.prdc(real, f, 5).coverage for f in fakes]))
    pixels = plain.source.test.arrays["x"] / 127.5 - 1
    assert values(found)["logits"] == pytest.approx(pixels.mean(), rel=1e-5)
    first = found["results"][0]
    assert first["interval"][0] < first["value"] < first["interval"][1]
    assert "bootstrap" in first["interval_kind"]
    assert "2 repeated sample sets" in found["results"][1]["interval_kind"]


def test_samples_do_not_depend_on_how_many_are_asked_for(plain):
    many, few = plain.images(samplers.BATCH + 30)[0], plain.images(20)[0]
    np.testing.assert_array_equal(many[:20], few)
    assert len(many) == samplers.BATCH + 30


def test_likelihood_and_bits(tmp_path):
    one = subject(vae(), nll_examples=50)
    found = run(one, "nll,bits_per_dim", tmp_path / "e.json")
    rows = np.unique(np.linspace(0, 119, 50).astype(int))
    nll = -100 * (one.source.test.arrays["x"][rows] / 127.5 - 1).mean(axis=(1, 2, 3))
    assert values(found)["NLL (importance-weighted bound)"] == pytest.approx(nll.mean(), rel=1e-5)
    assert values(found)["Monte Carlo standard error of it"] == pytest.approx(0.5 / np.sqrt(50))
    assert values(found)["effective importance samples, median"] == 7
    bits = nll.mean() / (144 * np.log(2)) + np.log2(127.5)  # a density over [-1, 1]
    assert values(found)["bits per dimension"] == pytest.approx(bits, rel=1e-5)


def test_latents(tmp_path):
    one = subject(vae())
    found = values(run(one, "latents", tmp_path / "e.json"))
    means = (one.source.test.arrays["x"] / 127.5 - 1).reshape(120, -1) @ np.asarray(
        one.weights.params["decoder"]["w"]
    ).T
    kl = 0.5 * (means**2 + np.exp(-1) + 1 - 1).sum(axis=1)
    assert found["KL of q(z|x) to N(0, I)"] == pytest.approx(kl.mean(), rel=1e-5)
    assert found["active units"] == 3
    stamped = protocol.stamp(one, "latents", MODEL)
    assert stamped["prior"] == "N(0, I)"


def test_copies_are_found_and_held_out_data_are_the_null(tmp_path):
    data = made()
    names = "authpct,ct,nearest"
    settings = {"features": "pixels", "samples": 120, "repeats": 1}
    half = values(run(subject(copier(data, 0.5), data, **settings), names, tmp_path / "a.json"))
    # Held-out data in the place of samples give the null value of each.
    null = values(run(subject(copier(data, 0.0), data, **settings), names, tmp_path / "b.json"))
    assert half["C_T (pixels)"] < -3
    assert abs(null["C_T (pixels)"]) < 3
    assert half["AuthPct (pixels)"] < null["AuthPct (pixels)"] - 20
    assert null["AuthPct (pixels)"] == pytest.approx(null["AuthPct of held-out data (pixels)"], abs=10)
    name = "samples equal to a training example in all features"
    assert 0.3 < half[name] < 0.7
    assert null[name] == 0
    assert 0.8 < null["nearest training example, ratio to held-out (pixels)"] < 1.2


def test_modes_of_a_ring(tmp_path):
    import jax

    from gen_jax.core import keys

    data = toy.ring8()
    centres = jax.numpy.asarray(data.modes.centres)

    def draw(view, key, count, given: Mapping = {}):  # perfect, on seven of the eight modes
        rows = jax.random.randint(key, (count,), 0, 7)
        return centres[rows] + 0.01 * keys.normal(key, count, 2)

    found = values(run(subject(drawing(draw), data, features="auto", samples=None), "modes", tmp_path / "e.json"))
    assert found["modes of 8"] == 7
    assert found["good samples"] == pytest.approx(100 * (1 - np.exp(-4.5)), abs=1)
    assert found["reverse KL of modes"] == pytest.approx(np.log(8 / 7), abs=0.01)


def test_a_code_that_is_the_factors_is_disentangled(tmp_path):
    labels = np.arange(160, dtype=np.int32) % 8
    split = {"x": np.zeros((160, 4, 4, 3), np.uint8), "label": labels}
    data = source.from_arrays("stacked:made", split, split, classes=8)  # three factors of two values

    def encode(view, batch):
        digits = [batch["label"] // 4, batch["label"] // 2 % 2, batch["label"] % 2]
        return {"mean": jnp.stack(digits, axis=1).astype(jnp.float32)}

    one = subject(vae()._replace(encode=encode), data, config=dataclasses.replace(CONFIG, data="stacked:made"))
    found = values(run(one, "disentanglement", tmp_path / "e.json"))
    assert found["MIG"] == pytest.approx(1, abs=0.02)
    assert found["modularity"] == pytest.approx(1, abs=0.02)
    assert found["FactorVAE score"] == 1
    assert found["SAP"] == pytest.approx(0.5, abs=0.1)
    assert found["DCI disentanglement"] > 0.95
    assert values(run(one, "latents", tmp_path / "e.json")) == {"active units": 3}  # no spread, no KL


def test_a_conditional_model_gets_the_labels_of_the_reference():
    one = subject(gan(conditional=True))
    assert one.conditional
    assert not subject().conditional
    np.testing.assert_array_equal(one.images(40)[1], one.source.test.arrays["label"][:40])
    assert protocol.stamp(one, "fd", MODEL)["sample labels"] == "those of test"


def test_classifier_scores(tmp_path, monkeypatch):
    seen = []

    def train(pictures, labels, *test):
        seen.append(len(pictures))
        return lenet.Classifier(2, {"w": pictures[:1]}, 0.75)

    monkeypatch.setattr(lenet, "train_classifier", train)
    monkeypatch.setattr(
        lenet, "apply", lambda c, x, **_: (np.zeros((len(x), 84), np.float32), np.eye(2)[np.arange(len(x)) % 2])
    )
    one = subject(gan(conditional=True), features="lenet", samples=64)
    found = run(one, "cas,per_class_fd", tmp_path / "e.json")
    assert sorted(seen) == [64, 200]  # the classifier of the real data is trained once for both
    assert values(found)["trained on real, tested on real"] == 1
    assert (
        found["results"][0]["interval_kind"].startswith("95 % Wilson")
        or "Wilson" in found["results"][-1]["interval_kind"]
    )
    assert one.extractor.stamp["test_accuracy"] == 0.75
    stamped = protocol.stamp(one, "fd", MODEL)
    assert stamped["feature test accuracy"] == 0.75
    assert stamped["features"] == "lenet:npz:made"


def test_a_class_that_was_never_learnt_is_in_no_score(tmp_path, monkeypatch):
    """Two classes, of which the second has test images alone: its samples and images are left out, which is told."""
    seen = {}

    def train(pictures, labels, *test):
        seen.setdefault(len(pictures), labels)
        return lenet.Classifier(2, {"w": pictures[:1]}, 0.75)

    monkeypatch.setattr(lenet, "train_classifier", train)
    monkeypatch.setattr(
        lenet, "apply", lambda c, x, **_: (np.zeros((len(x), 84), np.float32), np.eye(2)[np.zeros(len(x), int)])
    )
    bare = dataclasses.replace(made(), counts=(200, 0))
    one = subject(gan(conditional=True), data=bare, features="lenet", samples=64)
    found = run(one, "cas,per_class_fd", tmp_path / "e.json")
    assert seen[32].tolist() == [0] * 32  # half of the samples are of the class that was learnt
    told = {each["name"]: each for each in found["results"]}
    assert told["CAS: trained on samples, tested on real"]["value"] == 1.0  # of its test images alone
    assert told["CAS: trained on samples, tested on real"]["protocol"]["classes left out, without training images"] == [
        1
    ]
    distances = next(each for name, each in told.items() if "within classes, mean" in name)
    assert distances["details"]["missing classes"] == [1]


def test_what_is_drawn_for_a_class_that_was_never_learnt_is_said(capsys):
    opened = SimpleNamespace(algorithm=gan(conditional=True), source=dataclasses.replace(made(), counts=(200, 0)))
    for label, said in ((0, False), (1, True), (None, True)):
        asked.draw(opened, subject().weights, 4, 0, label)
        assert ("no training examples of class 1" in "".join(capsys.readouterr())) == said
    asked.draw(SimpleNamespace(algorithm=gan(conditional=True), source=made()), subject().weights, 4, 0)
    assert not "".join(capsys.readouterr())


def test_a_label_goes_to_the_sampler_that_takes_it():
    """Of a model with a sampler of classes beside the plain one, as M2 is."""
    both = gan()._replace(samplers={**gan().samplers, "class": gan(conditional=True).samplers["prior"]})
    with pytest.raises(UserError, match="--label 1: the sampler prior is not told labels; use --sampler class"):
        asked.draw(SimpleNamespace(algorithm=both, source=made()), subject().weights, 4, 0, 1)
    with pytest.raises(UserError, match="cas needs samples whose class is known; add --sampler class"):
        protocol.METRICS["cas"].check(subject(both, samples=64))


def completer():
    """A model that draws only what it is given a part of."""
    return gan()._replace(samplers={"complete": Sampler(lambda *_: None, ("x", "mask"))})  # type: ignore


def one_class(label=0):
    split = {"x": images(60, 3), "label": np.full(60, label, np.int32)}
    return source.from_arrays("npz:one", split, split, 2)


def brightness(split):
    return split.arrays["x"].max(axis=(1, 2, 3))  # with ties


def scorer():
    """A model to which bright images are strange, and which tells the square's place from its mean."""

    def classify(weights, batch):
        return jnp.stack([half.sum(axis=(1, 2, 3)) for half in (batch["x"][:, :5], batch["x"][:, 5:])], axis=1)

    return gan()._replace(score=lambda weights, batch, key: batch["x"].max(axis=(1, 2, 3)), classify=classify)


def test_strange_examples_are_told_from_the_reference(tmp_path, monkeypatch):
    from sklearn.metrics import average_precision_score, roc_auc_score

    one = subject(scorer(), against="npz:other")
    bright = source.from_arrays("npz:other", *[{"x": np.clip(images(90, 5) + 3, 0, 255).astype(np.uint8)}] * 2, None)
    monkeypatch.setattr(load, "of", lambda config: bright if config.data == "npz:other" else None)
    found = run(one, "auroc,average_precision", tmp_path / "e.json")
    scores = np.concatenate([brightness(each.test) for each in (one.source, bright)])
    strange = np.arange(210) >= 120
    assert values(found)["AUROC"] == pytest.approx(roc_auc_score(strange, scores), abs=1e-6)
    assert values(found)["average precision"] == pytest.approx(average_precision_score(strange, scores), abs=1e-6)
    low, high = found["results"][0]["interval"]
    assert low < values(found)["AUROC"] < high
    stamp = found["results"][0]["protocol"]
    assert (stamp["against"], stamp["against fingerprint"]) == ("npz:other", bright.fingerprint[:16])
    assert (stamp["normal examples"], stamp["strange examples"]) == (120, 90)


def test_a_class_of_its_own_data_can_be_what_is_strange(tmp_path):
    from sklearn.metrics import roc_auc_score

    one = subject(scorer(), against="class:1")
    found = values(run(one, "auroc", tmp_path / "e.json"))
    test = one.source.test.arrays
    assert found["AUROC"] == pytest.approx(roc_auc_score(test["label"] == 1, brightness(one.source.test)))


def test_accuracy_of_the_model_s_own_classes(tmp_path):
    from sklearn.metrics import accuracy_score

    one = subject(scorer())
    test = one.source.test.arrays
    logits = np.stack([test["x"][:, :5].sum((1, 2, 3)) / 127.5 - 60, test["x"][:, 5:].sum((1, 2, 3)) / 127.5 - 84], 1)
    found = run(one, "accuracy", tmp_path / "e.json")
    assert values(found)["accuracy"] == pytest.approx(accuracy_score(test["label"], logits.argmax(1)))
    assert found["results"][0]["interval_kind"].startswith("95 % Wilson")
    assert "accuracy" in protocol.default(one)


# ---- stamps ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"samples": 90}, {"reference": "train"}, {"seed": 1}, {"repeats": 3}, {"sampler": "truncated:1"},
        {"features": "pixels"}, {"view": weights(1)}, {"data": made(train=201)}, "step", "weights",
    ],
    ids=lambda change: change if isinstance(change, str) else next(iter(change)),
)  # fmt: skip
def test_a_stamp_changes_with_whatever_the_number_depends_on(plain, change):
    def key(one, model=None):
        return key_of(protocol.stamp(one, "fd", model or protocol.model_of(one, 10, "ema")))

    before = key(plain)
    assert key(subject()) == before
    if isinstance(change, str):
        model = protocol.model_of(plain, 10, "ema")
        assert key(plain, model._replace(**{change: 20 if change == "step" else "raw"})) != before
    else:
        assert key(subject(**change)) != before


def test_one_sampler_has_one_stamp_however_it_is_written():
    def sampler(spec):
        return protocol.stamp(subject(sampler=spec), "fd", MODEL)["sampler"]

    assert {sampler(spec) for spec in ("truncated", "truncated:.7", "truncated:at=0.70")} == {"truncated:0.7"}
    assert sampler("truncated:1") == "truncated:1"
    assert sampler("prior") == "prior"


def test_the_options_of_a_sampler_reach_it():
    def draw(view, key, count, given: Mapping = {}, *, scale=1.0, shift=0.0):
        return jnp.full((count, 12, 12, 1), scale + shift)

    model = gan()._replace(samplers={"flat": Sampler(draw, (), {"scale": 1.0, "shift": 0.0})})
    for spec, wanted in (("flat", 1.0), ("flat:0.5", 0.5), ("flat:shift=-0.25,scale=0.5", 0.25)):
        assert (subject(model, sampler=spec).images(3)[0] == wanted).all()
    stamp = protocol.stamp(subject(model, sampler="flat:0.5"), "fd", MODEL)
    assert stamp["sampler"] == "flat:scale=0.5,shift=0"


def test_the_stamp_says_all_that_the_number_depends_on(plain):
    stamp = protocol.stamp(plain, "precision", MODEL)
    assert stamp | {"packages": "", "feature weights": "", "explained variance": 0} == {
        "data": "npz:made", "fingerprint": plain.source.fingerprint[:16], "step": 10, "weights": "ema", "model": "abc",
        "seed": 0, "features": "pca", "dimension": 8, "feature weights": "", "explained variance": 0,
        "reference": "test", "reference count": 120, "samples": 100, "repeats": 2, "sampler": "prior", "neighbours": 3,
        "platform": "cpu", "packages": "",
    }  # fmt: skip
    assert "jax 0." in stamp["packages"]
    assert len(stamp["feature weights"]) == 16


# ---- resume ----------------------------------------------------------------------------------------------------------
def test_what_is_known_is_not_measured_again(plain, tmp_path):
    path = tmp_path / "e.json"
    assert run(plain, "fd,held_out", path)["measured"] == ["held_out", "fd"]
    first = path.read_bytes()
    again = run(plain, "fd,held_out,precision", path)
    assert again["measured"] == ["precision"]
    assert values(again)["FD-PCA"] == values(run(plain, "fd", path))["FD-PCA"]
    assert len(json.loads(path.read_text())["results"]) > len(json.loads(first)["results"])
    # Other settings stand beside it; other weights of the same step replace it.
    assert run(subject(samples=90), "fd", path)["measured"] == ["fd"]
    kept = {r["protocol"]["samples"] for r in json.loads(path.read_text())["results"] if r["metric"] == "fd"}
    assert kept == {90, 100}
    run(plain, "held_out", path, MODEL._replace(digest="another"))
    assert {r["protocol"]["model"] for r in json.loads(path.read_text())["results"]} == {"another"}


def test_an_interrupted_evaluation_keeps_what_it_has(plain, tmp_path, monkeypatch):
    def stop(one):
        raise KeyboardInterrupt

    slow = Metric(lambda one: None, lambda one: {}, stop)
    monkeypatch.setitem(protocol.METRICS, "coverage", slow)
    with pytest.raises(KeyboardInterrupt):
        run(plain, "fd,coverage", tmp_path / "e.json")
    monkeypatch.setitem(protocol.METRICS, "coverage", slow._replace(compute=lambda one: [Value("coverage", 1.0)]))
    assert run(plain, "fd,coverage", tmp_path / "e.json")["measured"] == ["coverage"]


def test_reference_statistics_are_cached_and_damage_is_repaired(cache, monkeypatch):
    def fd():
        one = subject()
        return scores.frechet_of(one.reference(), one.fakes(0))

    first = fd()
    (file,) = (cache / "reference").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(frechet, "update", None)  # would be called if the moments were made again
        patch.setattr(frechet, "moments_of", lambda features: frechet.Moments(*np.load(file)["number"][None], 0, 0))
        np.testing.assert_array_equal(subject().reference().moments.mean, np.load(file)["mean"])
    file.write_bytes(file.read_bytes()[:100])
    assert fd() == first
    subject(data=made(train=201)).reference()
    assert len(list((cache / "reference").iterdir())) == 2


# ---- mistakes --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("metrics", "options", "words"),
    [
        ("fdd", {}, ["no metric 'fdd'", "did you mean fd?", "coverage"]),
        ("", {}, ["names no metric"]),
        ("kid", {}, ["kid needs 1,000 reference examples", "120", "too few"]),
        ("kid", {"samples": 2000}, ["1,000 reference examples", "120"]),
        ("fd_infinity", {}, ["10,000 samples", "--samples 10000"]),
        ("is", {}, ["class probabilities", "lenet"]),
        ("recall", {"samples": 3}, ["recall needs 4 samples"]),
        ("per_class_fd", {"data": made(classes=None)}, ["labelled images"]),
        ("per_class_fd", {"samples": 12}, ["10 examples a class"]),
        ("per_class_fd", {}, ["--features lenet"]),
        ("cas", {}, ["conditional model"]),
        ("modes", {}, ["ring8"]),
        ("nll", {}, ["`likelihood`"]),
        ("nll", {"algorithm": vae()._replace(levels=0)}, ["does not normalise"]),
        ("nll", {"algorithm": vae(), "nll_examples": 500}, ["--nll-examples 500", "1 to 120"]),
        ("latents", {}, ["`encode`"]),
        ("auroc", {"against": "digits"}, ["`score`"]),
        ("auroc", {"algorithm": scorer()}, ["--against DATA", "class:NUMBER"]),
        ("auroc", {"algorithm": scorer(), "against": "class:2"}, ["classes 0 to 1"]),
        ("auroc", {"algorithm": scorer(), "against": "class:owl"}, ["classes 0 to 1"]),
        ("auroc", {"algorithm": scorer(), "against": "class:0", "data": made(classes=None)}, ["no labels"]),
        ("auroc", {"algorithm": scorer(), "against": "class:1", "data": one_class()}, ["no strange examples"]),
        ("auroc", {"algorithm": scorer(), "against": "digits"}, ["(8, 8, 1)", "(12, 12, 1)"]),
        ("auroc", {"algorithm": scorer(), "against": "digitz"}, ["did you mean digits"]),
        ("accuracy", {}, ["`classify`"]),
        ("accuracy", {"algorithm": scorer(), "data": made(classes=None)}, ["no labels"]),
        ("accuracy", {"algorithm": scorer(), "data": one_class(-1)}, ["tells none"]),
        ("disentanglement", {"algorithm": vae()}, ["factors", "sprites"]),
        ("ppl", {"algorithm": copier(made())}, ["`prior`"]),
        ("ms_ssim", {"data": toy.ring8(), "features": "auto"}, ["points"]),
        ("fd", {"features": "lenett"}, ["no features 'lenett'", "lenet:DATA"]),
        ("fd", {"features": "lenet", "data": made(classes=None)}, ["labelled images", "pixels"]),
        ("fd", {"features": "pixels", "data": toy.ring8()}, ["points"]),
        ("fd", {"features": "inception"}, ["convert-inception", "--inception-weights"]),
        ("fd", {"features": "pca:500"}, ["500 principal components"]),
        ("fd", {"sampler": "priorr"}, ["no sampler 'priorr'", "prior, truncated"]),
        ("fd", {"algorithm": completer(), "sampler": "complete"}, ["given mask", "does not have"]),
        ("fd", {"sampler": "prior:2"}, ["prior has no options"]),
        ("fd", {"sampler": "truncated:x"}, ["truncated:0.7"]),
        ("fd", {"sampler": "truncated:below=2"}, ["no option 'below'", "it has at"]),
        ("fd", {"sampler": "truncated:-1"}, ["positive number"]),
        ("fd", {"algorithm": gan()._replace(normal_prior=False, samplers={})}, ["fd needs", "sampler"]),
        ("fd", {"algorithm": gan(conditional=True), "data": made(classes=None)}, ["given label", "does not have"]),
        ("fd", {"sampler": "posterior"}, ["encode and decode"]),
        ("fd", {"samples": 0}, ["--samples 0"]),
        ("fd", {"repeats": 0}, ["--repeats 0"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_anything_is_measured(metrics, options, words, tmp_path):
    options = dict(options)
    one = subject(options.pop("algorithm", None), options.pop("data", None), **options)
    with pytest.raises(UserError) as caught:
        run(one, metrics, tmp_path / "e.json")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "e.json").exists()


def test_defaults_suit_the_model_and_its_data():
    assert protocol.default(subject(completer())) == ["held_out"]
    assert protocol.default(subject()) == ["held_out", "fd", "precision", "recall", "density", "coverage"]
    assert protocol.default(subject(vae()))[-1] == "latents"
    assert protocol.default(subject(data=toy.ring8(), features="auto")) == ["held_out", "modes"]
    stacked = dataclasses.replace(CONFIG, data="stacked:mnist5k")
    assert "modes" in protocol.default(subject(config=stacked))


def test_what_is_left_out_is_named():
    reasons = {"fd": "no weights are there", "kid": "no weights are there", "psnr": "psnr is of pairs; use fd"}
    assert protocol._left_out(reasons) == "fd, kid (no weights are there); psnr is of pairs (use fd)"


def test_every_metric_has_a_place_in_the_help():
    from gen_jax.runs import help_calls
    from gen_jax.verbs.evaluate import evaluate

    words = help_calls.of_function(evaluate, "evaluate").replace(",", " ").replace(";", " ").split()
    assert set(protocol.METRICS) <= set(words)
