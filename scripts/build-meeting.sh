#!/bin/sh
# Builds the meeting page (meeting-ui/) into src/callboard/meeting/static/, with npm and esbuild. Packages are installed
# when the lock file has changed since the last time; the build itself takes a second or two.
# usage: build-meeting.sh [--if-possible]    with it, a machine without Node is told so, and that is no failure
set -eu
cd "$(dirname "$0")/../meeting-ui"
mode="${1:-}"
cannot() {
  echo "The meeting page is not built: $1. The server runs without it, and says so on that page." >&2
  [ "$mode" = --if-possible ] && exit 0
  exit 1
}
command -v node >/dev/null 2>&1 || cannot "Node 18 or newer is needed (Debian: apt-get install nodejs npm)"
command -v npm >/dev/null 2>&1 || cannot "npm is needed (Debian: apt-get install npm)"
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || cannot "Node 18 or newer is needed, this is $(node -v)"
stamp=node_modules/.callboard-lock
lock=$(cat package-lock.json package.json .npmrc | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
  # No package's own scripts are run: esbuild's program comes as a package.
  npm ci --ignore-scripts --silent || cannot "npm could not install its packages (npm ci in meeting-ui/ says why)"
  echo "$lock" >"$stamp"
fi
node build.mjs
