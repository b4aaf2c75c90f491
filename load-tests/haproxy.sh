# Sourced by what needs HAProxy: puts it on the PATH, in CI (CI=true) by installing it. Returns 1
# where there is none, and ends the script where CI can't have it.
PATH=$PATH:/usr/sbin # where Debian has it, and not on every user's path

find_haproxy() {
  if command -v haproxy >/dev/null; then
    return 0
  fi
  if [ "${CI:-}" != true ]; then
    return 1
  fi
  if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "This check needs HAProxy (2.4 or newer) on the PATH, and this machine can't install it." >&2
    exit 1
  fi
  echo "Installing HAProxy ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy >/dev/null
}
