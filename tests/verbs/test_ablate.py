"""`ablate` prints the table that it wrote: its baseline is the one that was asked for, whichever arm stands first."""

import pytest
import toys

from gen_jax.verbs import ablate


@pytest.mark.parametrize("baseline", ["width=2", "width=3"])
def test_the_printed_table_names_the_baseline_that_was_asked_for(baseline, tmp_path, capsys):
    bench = toys.make(tmp_path)
    words = [str(bench.script), "--study-dir", str(bench.folder / "study"), "--grid", "width=2,3", "--seeds", "1"]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in toys.ASKED.items()]
    ablate.main(
        [*words, "--baseline", baseline, "--metric", "loss/error", "--data", f"folder:{bench.pictures}", *flags]
    )
    said = capsys.readouterr().out
    assert f"Differences are to {baseline}" in said
    assert f"Differences are to {baseline}" in (bench.folder / "study" / "table.md").read_text()
