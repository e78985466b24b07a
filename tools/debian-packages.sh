#!/bin/sh
# Make sure that the named Debian packages are installed; install only what is missing.
#
# Servers that come with them (named, sshd) are for tests on loopback: those installed here are
# neither started now nor at the next boot.
set -eu

missing=""
for package in "$@"; do
  case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true) in
    ii*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root="env"
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n env"
else
  echo "Debian packages are missing, and neither root nor passwordless sudo is here to install them:$missing" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "Debian packages are missing, and there is no apt-get to install them:$missing" >&2
  exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '$as_root rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
fi
echo "Installing Debian packages:$missing"
$as_root apt-get -qq update
# shellcheck disable=SC2086 # a list of words
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null

if [ -d /run/systemd/system ]; then
  for package in $missing; do
    case $package in
      bind9) $as_root systemctl --quiet disable named ;;
      openssh-server) $as_root systemctl --quiet disable ssh ;;
    esac
  done
fi
