#!/usr/bin/env bash
# Installs what the benchmarks compare vf2prep with. Debian or Ubuntu; may be run again.
# Python packages are pinned in requirements*.txt and go to virtual environments in bench/;
# packages of the system are those of its release, and each result names their versions.
set -euo pipefail
cd "$(dirname "$0")"
python=/usr/bin/python3 # the distribution's own: PyTorch comes from there

system=(
	build-essential pkg-config python3-dev python3-setuptools python3-venv python3-wheel
	libturbojpeg0-dev                   # tjdec.c: decoding alone
	libjpeg-dev zlib1g-dev              # Pillow-SIMD is compiled
	libopencv-dev python3-numba         # FFCV is compiled
	python3-torch python3-torchvision   # without CUDA, so 200 MB instead of gigabytes
	libopenblas0-pthread                # else that PyTorch has reference BLAS for its linear layers
)
missing=()
for p in "${system[@]}"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	echo "setup: apt-get install ${missing[*]}"
	root=()
	[ "$(id -u)" = 0 ] || root=(sudo)
	"${root[@]}" apt-get update -q
	DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

# venv DIR FILE [pip's options]: the packages of FILE, and pip's log in DIR/log.
venv() {
	local dir=$1 file=$2
	shift 2
	if cmp -s "$file" "$dir/$file"; then
		echo "setup: $dir has $file"
		return
	fi
	echo "setup: $dir: installing $file"
	[ -x "$dir/bin/pip" ] || "$python" -m venv $([ "$dir" = .venv-torch ] && echo --system-site-packages) "$dir"
	if ! "$dir/bin/pip" install --disable-pip-version-check --no-deps "$@" -r "$file" >"$dir/log" 2>&1; then
		tail -n 20 "$dir/log"
		return 1
	fi
	cp "$file" "$dir/$file"
}

venv .venv requirements.txt
venv .venv-torch requirements-torch.txt
# These two are compiled, which new compilers or Pythons may refuse: the rest goes without them.
venv .venv-torch requirements-ffcv.txt --no-build-isolation || echo "setup: FFCV does not build here: its rows will be missing"
CC="cc -mavx2" venv .venv-simd requirements-simd.txt || echo "setup: Pillow-SIMD does not build here: its rows will be missing"
# PyTorch's newest wheel is for CUDA, runs on the CPU as well, and takes 5 GB.
venv .venv-newtorch requirements-newtorch.txt || echo "setup: the newest PyTorch can't be had here: Debian's alone will be measured"
venv .venv-hf requirements-hf.txt || echo "setup: Hugging Face's datasets can't be had here: its rows will be missing"
venv .venv-mxnet requirements-mxnet.txt || echo "setup: MXNet can't be had here: its rows will be missing"
venv .venv-tf requirements-tf.txt || echo "setup: TensorFlow can't be had here: Keras's rows will be missing"
du -sh .venv*
