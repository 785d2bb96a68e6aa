"""`chemnet simulate`: what it writes, what it survives and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import chemnet, entries, wait_for
from made_network import closed_form_solve, write_made_network

from chemnet import ChemNet
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.simulation.outcomes import FinishedTracers, Outcome
from chemnet.chemistry.simulation.simulate import worker_count
from chemnet.chemistry.tracers import generate_tracers
from chemnet.errors import ConfigError, DataError, ResultsError, RunFailedError
from chemnet.results import VerbResult, list_results
from chemnet.verbs.simulate import SimulateResult

N_TRACERS = 12


@pytest.fixture(autouse=True)
def _closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "solve", closed_form_solve)


@pytest.fixture
def chem(tmp_path: Path) -> ChemNet:
    return make_chemnet(tmp_path)


def make_chemnet(folder: Path, *words: str) -> ChemNet:
    network = write_made_network(folder / "made")
    words = (f"general.results_dir={folder / 'results'}", f"simulate.network={network}", *words)
    return ChemNet(overrides=(*words, f"simulate.n_tracers={N_TRACERS}", "simulate.n_steps=9"))


def test_the_set_holds_every_tracer_that_the_solver_could_do(chem: ChemNet) -> None:
    result = chem.simulate()
    expected = generate_tracers(N_TRACERS, 42, n_steps=9, pre_phase_share=0.3333, heating_share=0.3333)
    hot = [t.tracer_id for t in expected if t.physical[:, 3].max() > 60.0]
    assert hot
    with result.open() as simulated:
        assert list(simulated.tracer_ids) == [t.tracer_id for t in expected if t.tracer_id not in hot]
        for row, model in enumerate(simulated.models):
            np.testing.assert_array_equal(simulated.physical(row), expected[model].physical)
    assert [entry["tracer_id"] for entry in result.failed] == hot
    assert result.summary["failed"] == len(hot)
    assert all("step size vanished" in entry["reason"] for entry in result.failed)


def test_elements_are_conserved_and_each_row_follows_from_the_one_before(chem: ChemNet) -> None:
    with chem.simulate().open() as simulated:
        hydrogen = [simulated.species.index(name) for name in ("H", "H2")]
        for tracer in simulated:
            abundances = simulated.abundances(tracer).astype(float)
            np.testing.assert_allclose(abundances[:, hydrogen] @ (1.0, 2.0), 1.0, rtol=1e-6)
            density, years = simulated.physical(tracer)[:, 0], simulated.time(tracer)
            decay = np.exp(-1e-10 * density[:-1] * np.diff(years))
            expected = abundances[:-1, hydrogen[0]] * decay
            np.testing.assert_allclose(abundances[1:, hydrogen[0]], expected, rtol=1e-4, atol=1e-30)


def test_a_static_phase_before_sets_the_initial_state(tmp_path: Path) -> None:
    cold, warm = (
        make_chemnet(tmp_path, f"simulate.pre_phase_share={share}", "simulate.heating_share=0").simulate()
        for share in (0.0, 1.0)
    )
    with cold.open() as without, warm.open() as with_phase:
        h = without.species.index("H")
        assert all(without.abundances(i)[0, h] == np.float32(0.5) for i in without)
        assert all(with_phase.abundances(i)[0, h] < 0.5 for i in with_phase)


def test_provenance_is_stored(chem: ChemNet) -> None:
    with chem.simulate().open() as simulated:
        provenance = simulated.provenance
    assert provenance["network"] == "made"
    assert provenance["seed"] == 42
    assert json.loads(provenance["solver_options"])["rtol"] == 1e-2
    assert len(provenance["network_digest"]) == 32


def test_what_the_solver_did_is_stored_per_tracer(chem: ChemNet) -> None:
    result = chem.simulate()
    with h5py.File(result.tracers_file) as file:
        names, counts = list(file["statistics"].attrs["names"]), file["statistics"][:]
        pre_phase = file["pre_phase"][:]
    assert names[:2] == ["steps", "rejected"]
    # the closed form counts its rows: nine, and two for a phase before
    np.testing.assert_array_equal(counts[:, 0], np.where(pre_phase, 11, 9))


def test_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    one, four = (make_chemnet(tmp_path, f"simulate.workers={n}").simulate() for n in (1, 4))
    assert one.tracers_file.read_bytes() == four.tracers_file.read_bytes()


def test_a_result_reloads_and_draws_itself(chem: ChemNet) -> None:
    result = VerbResult.load(chem.simulate().path)
    assert isinstance(result, SimulateResult)
    assert len(result.plot().axes) == 8
    assert (result.path / "tracers.png").stat().st_size > 10_000


def test_a_finished_result_keeps_nothing_that_only_a_resume_needs(chem: ChemNet) -> None:
    made = entries(chem.simulate().path)
    assert made == [
        "failed.json",
        "log.txt",
        "plan.json",
        "result.toml",
        "runtime_config.toml",
        "tracers.h5",
        "tracers.png",
    ]


def test_pandas_layout_is_written_on_request(tmp_path: Path) -> None:
    result = make_chemnet(tmp_path, "simulate.pandas_layout=true").simulate()
    table = pd.read_hdf(result.path / "pandas" / "tracers.h5", "df")
    with result.open() as simulated:
        assert len(table) == simulated.n_rows
        assert table["Model"].unique().tolist() == simulated.models.tolist()


def test_preprocess_takes_the_newest_set_that_was_simulated_as_configured(chem: ChemNet) -> None:
    chem.simulate(n_tracers=20)
    newest = chem.simulate()
    chem.simulate(n_tracers=3)
    chem.set_config("preprocess.window", 4)
    result = chem.preprocess()
    assert result.directory.parent("simulate").digest == newest.directory.digest
    with newest.open() as simulated:
        assert result.data.species == simulated.species
        assert sum(len(result.data.split(name).tracer_ids) for name in ("train", "validate", "test")) == len(
            simulated
        )


def test_own_tracers_of_unequal_length_are_simulated(tmp_path: Path) -> None:
    rows = ["Tracer,Time,Density,Radfield,Av,gasTemp"]
    rows += [f"long,{t},1e4,1,1,20" for t in (0, 1e4, 2e4)] + [f"short,{t},1e5,1,1,20" for t in (0, 1e4)]
    (tmp_path / "own.csv").write_text("\n".join(rows))
    result = make_chemnet(tmp_path).simulate(tracers=str(tmp_path / "own.csv"))
    with result.open() as simulated:
        assert simulated.tracer_ids == ("long", "short")
        assert [len(simulated.time(i)) for i in simulated] == [3, 2]


def test_own_initial_abundances_replace_the_standard_ones(tmp_path: Path) -> None:
    words = ('simulate.initial={H2=0.5, "C+"=1e-4}', "simulate.pre_phase_share=0")
    with make_chemnet(tmp_path, *words).simulate().open() as simulated:
        row = dict(zip(simulated.species, simulated.abundances(0)[0].tolist(), strict=True))
    assert row == pytest.approx({"H": 0, "H2": 0.5, "HE": 0, "C": 0, "C+": 1e-4, "E-": 1e-4})


# --- broken off and resumed --------------------------------------------------------------------

# ten tracers are finished; the others wait until somebody writes "go"
DRIVER = """
    import signal, sys, time
    from pathlib import Path
    # a background shell hands down that Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, sys.argv[1])
    from made_network import closed_form_solve
    from chemnet.chemistry.network.network import Network
    from chemnet.cli import main
    folder = Path(sys.argv[2])
    def solve(*words, **options):
        while len(list(folder.glob("results/.partial-*/finished/[0-9]*.npz"))) >= 10:
            if (folder / "go").exists():
                break
            time.sleep(0.01)
        return closed_form_solve(*words, delay=0.1, **options)
    Network.solve = solve
    sys.exit(main(sys.argv[3:]))
"""


def words_for(folder: Path, *words: str) -> list[str]:
    network = write_made_network(folder / "made")
    return [
        "simulate",
        f"general.results_dir={folder / 'results'}",
        f"simulate.network={network}",
        "simulate.n_tracers=60",
        "simulate.n_steps=9",
        "simulate.workers=2",
        *words,
    ]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    tests = Path(__file__).resolve().parents[2]
    (folder / "go").unlink(missing_ok=True)
    script = textwrap.dedent(DRIVER)
    command = [sys.executable, "-c", script, str(tests), str(folder), *words_for(folder, *words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go_on(folder: Path) -> None:
    (folder / "go").touch()


def stop_in_the_middle(folder: Path, with_signal: signal.Signals) -> tuple[int, str]:
    process = start(folder)
    wait_for(lambda: len(list(folder.glob("results/.partial-*/finished/[0-9]*.npz"))) >= 10, process)
    os.kill(process.pid, with_signal)
    go_on(folder)
    _, err = process.communicate()
    return process.returncode, err


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in_the_middle(tmp_path, signal.SIGKILL)
    partial = next((tmp_path / "results").glob(".partial-*"))
    finished = {path.name: path.stat().st_mtime_ns for path in (partial / "finished").glob("[0-9]*.npz")}
    solved: list[float] = []

    def counting(*args: Any, **kwargs: Any) -> Any:
        solved.append(args[1]["time"][-1])
        return closed_form_solve(*args, **kwargs)

    monkeypatch.setattr(Network, "solve", counting)
    outcome = chemnet(*words_for(tmp_path, "simulate.resume=latest"), "--json")
    assert outcome.code == 0, outcome.err
    assert 60 - len(finished) <= solved.count(1e6) <= 60 - 10
    resumed = outcome.path / "tracers.h5"
    assert not (tmp_path / "results" / partial.name).exists()
    whole = chemnet(*words_for(tmp_path), "--json").path / "tracers.h5"
    assert resumed.read_bytes() == whole.read_bytes()


def test_of_two_that_resume_one_run_at_once_one_goes_on_and_the_other_is_refused(tmp_path: Path) -> None:
    stop_in_the_middle(tmp_path, signal.SIGKILL)
    pair = [start(tmp_path, "simulate.resume=latest") for _ in range(2)]
    while all(process.poll() is None for process in pair):
        time.sleep(0.02)
    go_on(tmp_path)
    told = [process.communicate()[1] for process in pair]
    codes = [process.returncode for process in pair]
    assert sorted(codes) == [0, 2], told
    assert "is still running: process" in told[codes.index(2)]
    (result,) = list_results(tmp_path / "results", "simulate")
    result.verify()
    whole = chemnet(*words_for(tmp_path), "--json").path / "tracers.h5"
    assert result.file("tracers.h5").read_bytes() == whole.read_bytes()


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    code, err = stop_in_the_middle(tmp_path, signal.SIGINT)
    assert code == 130
    assert "to resume: chemnet simulate simulate.resume=latest" in err
    assert chemnet(*words_for(tmp_path, "simulate.resume=latest")).code == 0


def test_a_resumed_run_keeps_the_configuration_that_it_began_with(tmp_path: Path) -> None:
    stop_in_the_middle(tmp_path, signal.SIGKILL)
    outcome = chemnet(*words_for(tmp_path, "simulate.resume=latest", "simulate.n_tracers=7"), "--json")
    summary = outcome.answer["summary"]
    assert summary["tracers"] + summary["failed"] == 60


def test_a_changed_network_stops_the_resume_and_loses_nothing(tmp_path: Path) -> None:
    stop_in_the_middle(tmp_path, signal.SIGKILL)
    partial = next((tmp_path / "results").glob(".partial-*"))
    finished = len(list((partial / "finished").glob("*.npz")))
    words = words_for(tmp_path, "simulate.resume=latest")
    reactions = tmp_path / "made" / "reactions.csv"
    reactions.write_text(reactions.read_text().replace("4.4e-12", "5e-12"))
    outcome = chemnet(*words)
    assert outcome.code == 2
    assert "changed since it began: network" in outcome.err
    assert len(list((partial / "finished").glob("*.npz"))) == finished


def test_a_running_simulation_cannot_be_resumed(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        wait_for(lambda: list(tmp_path.glob("results/.partial-*/running.toml")), process)
        outcome = chemnet(*words_for(tmp_path, "simulate.resume=latest"))
        assert outcome.code == 2
        assert "is still running" in outcome.err
    finally:
        process.kill()
        process.communicate()


def test_a_damaged_outcome_is_integrated_again(tmp_path: Path) -> None:
    finished = FinishedTracers(tmp_path)
    for index in range(3):
        finished.store(Outcome(index, np.full((2, 3), float(index), np.float32)))
    path = tmp_path / "0000001.npz"
    whole, dropped = path.read_bytes(), 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        again = FinishedTracers(tmp_path)
        if again.drop_damaged():
            assert [index in again for index in range(3)] == [True, False, True]
            dropped += 1
        else:  # it hit what says nothing, such as the time of a file
            np.testing.assert_array_equal(again.load(1).abundances, np.ones((2, 3)))
    assert dropped > len(whole) // 2


def test_half_written_outcomes_do_not_count(tmp_path: Path) -> None:
    (tmp_path / ".0000003.npz").write_bytes(b"half")
    assert 3 not in FinishedTracers(tmp_path)
    assert not list(tmp_path.iterdir())


# --- bad input ---------------------------------------------------------------------------------


def test_nothing_to_resume_is_said_so(chem: ChemNet) -> None:
    with pytest.raises(ResultsError, match="no unfinished `simulate`"):
        chem.simulate(resume="latest")


def test_unknown_network_is_refused(chem: ChemNet) -> None:
    with pytest.raises(DataError, match="no file, folder or shipped network called 'colapse'"):
        chem.simulate(network="colapse")


def test_unknown_initial_species_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="initial abundances name 'CO', which network 'made' does not have"):
        make_chemnet(tmp_path, "simulate.initial={CO=1e-4}").simulate()


@pytest.mark.parametrize(
    ("initial", "words"),
    [
        ("{H=-0.1}", "initial abundance of 'H' is -0.1"),
        ("{H=0.0}", "all initial abundances are 0"),
    ],
)
def test_impossible_initial_abundances_are_refused(tmp_path: Path, initial: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_chemnet(tmp_path, f"simulate.initial={initial}").simulate()


def test_unknown_family_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"simulate\.families\.freefal"):
        make_chemnet(tmp_path, "simulate.families.freefal=1.0")


def test_negative_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"simulate\.workers = -1 .*int >= 0"):
        make_chemnet(tmp_path, "simulate.workers=-1")
    with pytest.raises(DataError, match="cannot use -1 workers"):
        worker_count(-1)


def test_gas_outside_the_temperatures_of_the_network_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    rows = ["Tracer,Time,Density,Radfield,Av,gasTemp", "shock,0,1e4,1,1,20", "shock,1e4,1e4,1,1,5e4"]
    (tmp_path / "own.csv").write_text("\n".join(rows))
    words = ("simulate.network=collapse", f"simulate.tracers={tmp_path / 'own.csv'}")
    outcome = chemnet("simulate", f"general.results_dir={tmp_path / 'results'}", *words)
    assert outcome.code == 2
    assert "tracer 'shock', step 1: gasTemp is 50000 K; network 'collapse' covers 4 to 41000 K" in outcome.err
    assert entries(tmp_path / "results") == []


def test_no_tracers_at_all_are_refused(chem: ChemNet) -> None:
    with pytest.raises(ConfigError, match="n_tracers = 0 is out of range; allowed: int >= 1"):
        chem.simulate(n_tracers=0)


def test_a_run_in_which_every_tracer_fails_leaves_no_result(
    chem: ChemNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hopeless(network: Any, tracer: Any, initial: Any, **options: Any) -> Any:
        hot = {**tracer, "gasTemp": np.full_like(tracer["gasTemp"], 130.0)}
        return closed_form_solve(network, hot, initial, **options)

    monkeypatch.setattr(Network, "solve", hopeless)
    with pytest.raises(RunFailedError, match="none of 12 tracers could be integrated; the first: "):
        chem.simulate()
    assert entries(tmp_path / "results") == []


def test_drifting_elements_are_a_failure_not_a_result(chem: ChemNet, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(network: Any, tracer: Any, initial: Any, **options: Any) -> Any:
        solution = closed_form_solve(network, tracer, initial, **options)
        if tracer["Density"][0] > 1e5:
            solution.abundances[5:, network.index("HE")] *= 1.001
        return solution

    monkeypatch.setattr(Network, "solve", leaking)
    reasons = [entry["reason"] for entry in chem.simulate().failed]
    assert any("step 5: the total of HE drifted by 1.0e-03" in reason for reason in reasons)
