#!/usr/bin/env bash
# Makes the shipped surrogate "uclchem" again, in the working directory: tracers, three stages of training, one folder.
#   bash docs/scripts/make_uclchem_surrogate.sh NETWORK_FOLDER [SEEDS...]
# NETWORK_FOLDER holds the reactions.csv and species.csv that UCLCHEM's MakeRates wrote. Each seed is a run of 100 whole
# tracers (101 102 103 made the shipped one); all is resumable by `simulate.resume=latest` and `train.resume=latest`.
set -euo pipefail
network="$(realpath "$1")"
shift
seeds=("${@:-101 102 103}")
recipe="$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../example_configs/surrogates/uclchem")"
scripts="$(realpath "$(dirname "${BASH_SOURCE[0]}")")"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

simulate() { chemnet simulate simulate.network="$network" simulate.uclchem_compatible=true "$@"; }
newest() { find results -maxdepth 1 -name "*-$1-*" | sort | tail -1; }
keep_tracers() { mkdir -p "$1" && mv "$(newest simulate)/tracers.h5" "$1/$2.h5"; }

for seed in ${seeds[*]}; do
    simulate simulate.n_tracers=100 general.seed="$seed"
    keep_tracers whole "$seed"
done
python "$scripts/first_steps.py" first_steps.csv
simulate simulate.tracers=first_steps.csv
mkdir -p short && cp whole/*.h5 short/
keep_tracers short first_steps

weights=()
for stage in 1_first_steps 2_windows 3_histories; do
    tracers=$([ "$stage" = 1_first_steps ] && echo short || echo whole)
    chemnet preprocess -c "$recipe/$stage.toml" data_set.path="$tracers"
    chemnet train -c "$recipe/$stage.toml" "${weights[@]}"
    weights=(train.model_weights_file="$(newest train)/weights.safetensors")
done
python -c "import chemnet, sys; chemnet.Surrogate.load(sys.argv[1]).save('uclchem')" "$(newest train)"
