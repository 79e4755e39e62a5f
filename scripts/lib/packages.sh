# shellcheck shell=bash
# Debian packages: missing ones are installed, with sudo where needed, and never start a service.
# `a|b` names alternatives: the first that apt offers on this system is installed.

# shellcheck source=scripts/lib/apt-known.sh
source "$ROOT/scripts/lib/apt-known.sh"

# install_packages WHY PACKAGE...
install_packages() {
  local why=$1 choice names=()
  shift
  for choice in "$@"; do names+=("$(known_package "$choice")"); done
  local installer=("$ROOT/scripts/lib/apt-install" "$@") by_hand="apt-get install ${names[*]}"
  if ! command -v apt-get >/dev/null; then
    die "$why needs packages that are missing, and this system has no apt-get." \
      "Install what Debian calls: ${names[*]}" "or use Docker for the servers: docker compose up -d"
  fi
  say "$why needs packages that are missing: ${names[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "This user may not install packages (not root, no sudo)." "An administrator can run: $by_hand"
    if ! sudo -n true 2>/dev/null; then
      [[ -t 0 && -t 2 ]] || die "sudo needs a password, and there is no terminal to type it." "Run this first: sudo $by_hand"
      sudo -v || die "sudo refused this user." "An administrator can run: $by_hand"
    fi
    installer=(sudo -n "${installer[@]}")
  fi
  working "Installing packages" "$LOGS/apt.log" "${installer[@]}" || die "apt could not install them." "Run it in a terminal: $by_hand"
}
