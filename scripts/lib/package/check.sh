# shellcheck shell=bash
# What must hold for an executable that Lambda starts on provided.al2023 (Amazon Linux 2023, GLIBC 2.34).

MAX_GLIBC=2.34
# Libraries of the image that may be linked dynamically. Everything else is inside the executable.
ALLOWED_LIBRARIES="libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1"
declare -A MACHINES=(["arm64"]="AArch64" ["x86_64"]="Advanced Micro Devices X86-64")

budget_of() { awk -v name="$1" '$1 == name { print $2 }' "$ROOT/scripts/lib/package/budgets"; }

# check_package FILE FUNCTION ARCHITECTURE: prints each problem, or nothing.
check_package() {
  local file=$1 function=$2 architecture=$3 header glibc library budget size
  [[ -x $file ]] || { printf '%s is not an executable\n' "$file"; return; }
  header=$(readelf -hW "$file")
  [[ $header == *"Machine:"*"${MACHINES[$architecture]}"* ]] || printf 'is not built for %s\n' "$architecture"
  glibc=$(readelf -VW "$file" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
  glibc=${glibc#GLIBC_}
  [[ $(printf '%s\n' "$glibc" "$MAX_GLIBC" | sort -V | tail -n 1) == "$MAX_GLIBC" ]] ||
    printf 'needs GLIBC %s, and the image has %s\n' "$glibc" "$MAX_GLIBC"
  for library in $(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    [[ " $ALLOWED_LIBRARIES " == *" $library "* ]] || printf 'needs %s, which the image may not have\n' "$library"
  done
  ! readelf -SW "$file" | grep -qE ' \.(symtab|debug_info) ' || printf 'is not stripped\n'
  budget=$(budget_of "$function")
  size=$(stat -c %s "$file")
  if [[ -z $budget ]]; then
    printf 'has no budget in scripts/lib/package/budgets; it has %s bytes\n' "$size"
  elif ((size > budget)); then
    printf 'has %s bytes; its budget is %s (scripts/lib/package/budgets)\n' "$size" "$budget"
  fi
}

# package_facts FILE: its size, compressed size and the GLIBC that it needs.
package_facts() {
  local glibc
  glibc=$(readelf -VW "$1" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
  printf '%12d %12d %8s' "$(stat -c %s "$1")" "$(gzip -c "$1" | wc -c)" "${glibc#GLIBC_}"
}
