#!/bin/sh
# Writes requirements.lock (what runs) and requirements-dev.lock (what also tests), with hashes and without addresses.
# Needs uv on the PATH (pip install uv). Run it after changing dependencies in pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
compile() {
  uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
    pyproject.toml "$@"
}
compile --group build --output-file requirements.lock
compile --group build --group dev --output-file requirements-dev.lock
