# shellcheck shell=bash
# known_package "a|b": prints the first package that apt offers on this system, or `a` if it offers none.
known_package() {
  local names name
  IFS='|' read -ra names <<<"$1"
  for name in "${names[@]}"; do
    if [[ -n $(apt-cache search --names-only "^${name//+/\\+}\$" 2>/dev/null) ]]; then
      printf '%s' "$name"
      return
    fi
  done
  printf '%s' "${names[0]}"
}
