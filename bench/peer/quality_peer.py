#!/usr/bin/python3
"""Programs that are no part of this project beside `loe bench quality`: the same picture, in turns, in the same times.

    bench/peer/quality_peer.py camera.png --params 108k --seconds 10,30 --threads 2 --out bench/results/camera \\
      --rival 'hash_grid.cpp=./hash_grid camera.raw --seconds {seconds} --threads {threads} --seed {seed} --levels 17' \\
      --rival 'PyTorch=python3 loop.py camera.png --seconds {seconds} --threads {threads}'

For every time, each rival's command runs with {seconds}, {threads}, {seed} and {params} filled in, then
`loe bench quality` with its methods. What a rival prints must hold psnr=X (dB of the whole picture, clipped) and
params=N; steps=N, Msamples/s=X and seconds=X (or wall=X) are read if they are there. A rival that cannot run (no
PyTorch, say) is left out with its reason. --out holds quality.json, index.html and the curves, as `loe bench quality
--out` leaves them. Exit code 1 if the program fails or no rival ran.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

SUFFIXES = {"k": 1e3, "m": 1e6}


def count_of(text):
    """"108k" as 108000."""
    scale = SUFFIXES.get(text[-1].lower(), 1)
    return round(float(text[:-1] if scale > 1 else text) * scale)


def number(output, names, default=None):
    """The last NAME=X of the output, for the first of the names that occurs."""
    for name in names:
        found = re.findall(r"(?<![\w/])" + re.escape(name) + r"=([-+0-9.eE]+)", output)
        if found:
            return float(found[-1])
    return default


def run_rival(name, command, seconds, seed, args):
    """One record, or None."""
    words = shlex.split(command.format(seconds=seconds, seed=seed, threads=args.threads, params=count_of(args.params)))
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        print(f"skipped: {name}: {error}", file=sys.stderr)
        return None
    psnr, n_params = number(done.stdout, ["psnr"]), number(done.stdout, ["params"])
    if done.returncode != 0 or psnr is None or n_params is None:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        print(f"skipped: {name}: exit code {done.returncode}, {last}", file=sys.stderr)
        return None
    used = number(done.stdout, ["seconds", "wall"], seconds)
    print(f"{name}: {round(n_params):,} parameters, {seconds:g} s, seed {seed}: {psnr:.2f} dB", file=sys.stderr)
    return {"method": name, "title": "not of this project", "seed": seed, "max_params": count_of(args.params),
            "n_params": round(n_params), "budget_seconds": seconds, "seconds": used, "psnr_db": psnr,
            "steps": round(number(done.stdout, ["steps"], 0)),
            "samples_per_second": 1e6 * number(done.stdout, ["Msamples/s"], 0), "curve": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("picture")
    parser.add_argument("--params", required=True, help="parameters at most, 108k")
    parser.add_argument("--seconds", default="10", help="separated by commas")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", default="best,experts", help="of `loe bench quality`")
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=COMMAND", help="may be repeated")
    parser.add_argument("--program", default="build/bin/loe")
    parser.add_argument("--out", required=True, help="folder of the results")
    args = parser.parse_args()
    n_rivals = 0
    with tempfile.TemporaryDirectory() as folder:
        so_far = os.path.join(folder, "runs.json")
        runs = []
        for seconds in (float(text) for text in args.seconds.split(",")):
            for seed in range(args.seeds):
                for rival in args.rival:
                    name, _, command = rival.partition("=")
                    record = run_rival(name, command, seconds, seed, args)
                    if record is not None:
                        runs.append(record)
                        n_rivals += 1
            with open(so_far, "w", encoding="utf-8") as file:
                json.dump({"runs": runs}, file)
            done = subprocess.run([args.program, "bench", "quality", args.picture, "--params", args.params, "--seconds",
                                   f"{seconds:g}", "--threads", str(args.threads), "--seeds", str(args.seeds),
                                   "--methods", args.methods, "--rivals", so_far, "--out", args.out],
                                  stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode != 0:
                return 1
            with open(os.path.join(args.out, "quality.json"), encoding="utf-8") as file:
                runs = json.load(file)["runs"]
    print(done.stdout, end="")
    return 0 if n_rivals > 0 or not args.rival else 1


if __name__ == "__main__":
    sys.exit(main())
