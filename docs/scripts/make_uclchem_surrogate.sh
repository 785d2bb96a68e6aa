#!/usr/bin/env bash
# Makes such a surrogate as the setting "fast" of the shipped "uclchem", in the working directory: tracers, five stages of training,
# one folder.
#   bash docs/scripts/make_uclchem_surrogate.sh NETWORK_FOLDER [SEEDS...]
# NETWORK_FOLDER holds the reactions.csv and species.csv that UCLCHEM's MakeRates wrote. Each seed is a run of 100 whole
# tracers, those of 301 to 399 of 60 that all begin with a static phase. Those of seed 201 and some of 302 validate and test, the
# others train. All is resumable by `simulate.resume=latest` and `train.resume=latest`. About an hour and a half on two cores for
# the tracers, and as long for the training.
set -euo pipefail
network="$(realpath "$1")"
shift
seeds=("${@:-101 102 103 202 203 204 205 206 207 208 209 210 301 302 303 401 402 403 404 405}")
scripts="$(realpath "$(dirname "${BASH_SOURCE[0]}")")"
recipe="$(realpath "$scripts/../../example_configs/surrogates/uclchem")"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

simulate() { chemnet simulate simulate.network="$network" simulate.uclchem_compatible=true simulate.rtol=1e-4 "$@"; }
newest() { find results -maxdepth 1 -name "*-$1-*" | sort | tail -1; }
keep_tracers() { mkdir -p "$1" && mv "$(newest simulate)/tracers.h5" "$1/$2.h5"; }

for seed in 201 ${seeds[*]}; do
    # 0.008 dex in the mean off the default tolerance, in half its time (measured on 4 tracers)
    kind=(simulate.n_tracers=100)
    ((seed > 300 && seed < 400)) && kind=(simulate.n_tracers=60 simulate.pre_phase_share=1.0)
    simulate "${kind[@]}" simulate.rtol=1e-2 general.seed="$seed"
    keep_tracers whole "$seed"
done
python "$scripts/first_steps.py" first_steps.csv
simulate simulate.tracers=first_steps.csv
mkdir -p with_first_steps
cp whole/*.h5 with_first_steps/
keep_tracers with_first_steps first_steps
for set in whole with_first_steps; do
    python "$scripts/hold_out.py" "$set" 201=60,40 302=15,10 >"$set.json"
done

declare -A prepared
for stage in 1_first_steps 2_windows 3_histories; do
    set=whole
    [ "$stage" = 1_first_steps ] && set=with_first_steps
    chemnet preprocess -c "$recipe/$stage.toml" data_set.path="$set" preprocess.split_file="$set.json"
    prepared[$stage]="$(newest preprocess)"
done
prepared[4_all]="${prepared[3_histories]}"
prepared[5_pieces]="${prepared[3_histories]}"

weights=()
for stage in 1_first_steps 2_windows 3_histories 4_all 5_pieces; do
    chemnet train -c "$recipe/$stage.toml" train.preprocess_dir="${prepared[$stage]}" "${weights[@]}"
    weights=(train.model_weights_file="$(newest train)/weights.safetensors")
done
python -c "import chemnet, sys; chemnet.Surrogate.load(sys.argv[1]).save('uclchem', precision='float16')" "$(newest train)"
