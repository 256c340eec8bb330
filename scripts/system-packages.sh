#!/bin/sh
# Installs the Debian packages whose programs are missing; says what it does, and does nothing when all are there.
# usage: system-packages.sh run|test
set -eu
want=""
need() { # need PACKAGE FILE: PACKAGE is installed unless FILE is there
  [ -e "$2" ] || want="$want $1"
}
need janus /usr/bin/janus
need janus-tools /usr/bin/janus-pp-rec
need ffmpeg /usr/bin/ffmpeg
need fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
python3 -c 'import ensurepip, venv' 2>/dev/null || want="$want python3-venv"
if [ "${1:-run}" = test ]; then
  need postgresql /usr/lib/postgresql
  need chromium /usr/bin/chromium
  need firefox-esr /usr/bin/firefox-esr
  need coturn /usr/bin/turnserver
  need nftables /usr/sbin/nft
  command -v node >/dev/null 2>&1 || want="$want nodejs"
  command -v npm >/dev/null 2>&1 || want="$want npm"
fi
[ -n "$want" ] || exit 0
echo "Installing Debian packages:$want"
as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "Not root, and no sudo: please run: apt-get install$want" >&2; exit 1; }
  as_root=sudo
fi
# A package that starts a service of its own would take our ports: nothing is started.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod +x "$policy"
  trap '$as_root rm -f "$policy"' EXIT
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $want >/dev/null
