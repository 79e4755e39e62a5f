# shellcheck shell=bash
# libfaketime, which shifts the clocks of functions in tests. tests/chaos/src/programs.rs finds it at the same paths.

faketime_packages() {
  local library
  for library in /usr/lib/*/faketime/libfaketimeMT.so.1; do
    [[ ! -f $library ]] || return 0
  done
  echo libfaketime
}
