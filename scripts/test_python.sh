#!/usr/bin/env bash
# The tests of python/, in a virtual environment of their own. scripts/test_python.sh BINARY [pytest's arguments]
# PYTHON is the interpreter, by default the distribution's: its PyTorch is used where it is installed, and the tests
# that want PyTorch skip with a message where it is not.
set -euo pipefail
VF2PREP=$(realpath "${1:?usage: test_python.sh BINARY [pytest arguments]}")
export VF2PREP
shift
cd "$(dirname "$0")/../python"
python=${PYTHON:-$([ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)}
if ! cmp -s pyproject.toml .venv/pyproject.toml; then
	rm -rf .venv
	"$python" -m venv --system-site-packages .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[test,jpeg,fast]' 'safetensors>=0.4' 'crc32c>=2.3'
	cp pyproject.toml .venv/
fi
exec .venv/bin/python -m pytest -q -rs "$@"
