# shellcheck shell=bash
# Debian packages: what is missing is installed, with sudo where needed, and never starts a service of its own.
# `a|b` names alternatives: the first that this system's apt knows is taken.

# shellcheck source=scripts/lib/apt-known.sh
source "$ROOT/scripts/lib/apt-known.sh"

# install_packages WHY PACKAGE...
install_packages() {
  local why=$1 choice names=()
  shift
  for choice in "$@"; do names+=("$(known_package "$choice")"); done
  local installer=("$ROOT/scripts/lib/apt-install" "$@") ask="apt-get install ${names[*]}"
  if ! command -v apt-get >/dev/null; then
    die "$why needs packages that are missing, and this system has no apt-get." \
      "Install what Debian calls: ${names[*]}" "or use Docker for the servers: docker compose up -d"
  fi
  say "$why needs packages that are missing: ${names[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "This user may not install packages (not root, no sudo)." "Ask an administrator for: $ask"
    if ! sudo -n true 2>/dev/null; then
      [[ -t 0 && -t 2 ]] || die "sudo asks for a password, and nobody is here to type it." "Run this by hand first: sudo $ask"
      sudo -v || die "sudo refused this user." "Ask an administrator for: $ask"
    fi
    installer=(sudo -n "${installer[@]}")
  fi
  working "Installing packages" "$LOGS/apt.log" "${installer[@]}" || die "apt could not install them." "Try by hand: ${ask}"
}
