#!/usr/bin/env bash
# Writes the public API of every package of src/ as it is now into PublicAPI.Unshipped.txt, and shows what changed. A new project gets its files.
# Before a release, move the lines to PublicAPI.Shipped.txt by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp "${TMPDIR:-/tmp}/narad-api.XXXXXX")
trap 'rm -f "$log"' EXIT
symbols() { sed -n "s/.*$1: Symbol '\(.*\)' is $2.*/\1/p" "$log" | sort -u; }

for project in src/*/*.csproj; do
  ! grep -q '<OutputType>Exe' "$project" || continue
  folder=$(dirname "$project")
  for file in "$folder/PublicAPI.Shipped.txt" "$folder/PublicAPI.Unshipped.txt"; do
    [ -e "$file" ] || echo '#nullable enable' > "$file"
  done
  touch "$folder/PublicAPI.Unshipped.txt" # compiles the project again
  dotnet build "$project" --verbosity quiet -nologo -p:TreatWarningsAsErrors=false > "$log" || { cat "$log"; exit 1; }
  {
    echo '#nullable enable'
    { tail -n +2 "$folder/PublicAPI.Unshipped.txt" | grep -vxFf <(symbols RS0017 'part of the declared API'; echo '#') || true
      symbols RS0016 'not part of'
      # A line that was removed after it was shipped.
      grep -xFf <(symbols RS0017 'part of the declared API') "$folder/PublicAPI.Shipped.txt" | sed 's/^/*REMOVED*/' || true
    } | LC_ALL=C sort -u
  } > "$log.new"
  mv "$log.new" "$folder/PublicAPI.Unshipped.txt"
done
git --no-pager diff --stat -- '*PublicAPI.*.txt'
git status --short -- '*PublicAPI.*.txt'
