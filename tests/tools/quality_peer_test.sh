#!/usr/bin/env bash
# bench/peer/quality_peer.py with a program and rivals of two lines each: what is read, filled in, handed on, left out.
set -euo pipefail
root=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > loe <<'PROGRAM'
#!/usr/bin/env bash
# Stands for `loe bench quality`: keeps the rivals' runs and says how it was called.
echo "$*" >> calls
while [ $# -gt 0 ]; do
  [ "$1" = --rivals ] && rivals=$2
  [ "$1" = --out ] && out=$2
  shift
done
mkdir -p "$out"
cp "$rivals" "$out/quality.json"
echo table
PROGRAM
cat > rival <<'RIVAL'
#!/usr/bin/env bash
echo "half way psnr=1.00"
echo "rival $* params=99 steps=12 Msamples/s=1.50 seconds=$1 psnr=31.25"
RIVAL
chmod +x loe rival

output=$("$root/bench/peer/quality_peer.py" a.png --params 1.5k --seconds 2,4 --threads 3 --program ./loe --out out \
  --rival 'one=./rival {seconds} {seed} {threads} {params}' --rival 'two=./absent' 2> errors)
[ "$output" = table ]
grep -q 'skipped: two: ' errors
python3 - <<'CHECK'
import json
runs = json.load(open("out/quality.json"))["runs"]
assert [(run["method"], run["budget_seconds"], run["seconds"]) for run in runs] == [("one", 2, 2), ("one", 4, 4)], runs
assert all(run["psnr_db"] == 31.25 for run in runs), runs
assert runs[0]["n_params"] == 99 and runs[0]["max_params"] == 1500 and runs[0]["samples_per_second"] == 1.5e6, runs
CHECK
[ "$(wc -l < calls)" = 2 ]
grep -q -- '--params 1.5k --seconds 4 --threads 3' calls

# No rival at all could run: that is a failure.
if "$root/bench/peer/quality_peer.py" a.png --params 1k --program ./loe --out out --rival 'x=./absent' > /dev/null 2>&1; then
  echo "expected exit code 1 without any rival" >&2
  exit 1
fi
