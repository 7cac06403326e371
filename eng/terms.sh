#!/usr/bin/env bash
# Looks for words that this repository does not use (eng/terms.txt says why and what to write), for numbers of promises in comments and messages, and for
# lines of code and of prose over 160 characters. Prints each with its place and ends with 1 where there is one. --count prints the number of each only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

files=$(git ls-files -- '*.cs' '*.md' '*.sh' '*.yaml' '*.props' '*.targets' '*.csproj' README.md .ci/run)
allowed_paths=$(awk -F'\t' '$1 == "path" { print $2 }' eng/terms.txt)
allowed_texts=$(awk -F'\t' '$1 == "text" { printf "%s%s", (n++ ? "|" : ""), $2 }' eng/terms.txt)
outside() { # the files that no path of the list allows
  local file path
  for file in $files; do
    for path in $allowed_paths; do [ "${file#"$path"}" = "$file" ] || continue 2; done
    echo "$file"
  done
}
checked=$(outside)

found=0
report() { # report TEXT INSTEAD: lines on standard input
  local lines
  lines=$(grep -vE "${allowed_texts:-^$}" || true)
  [ -n "$lines" ] || return 0
  found=$((found + $(wc -l <<< "$lines")))
  if [ "${1:-}" = --count ]; then printf '%6d %s\n' "$(wc -l <<< "$lines")" "$2"; else awk -v hint="   <- $2: $3" '{ print $0 hint }' <<< "$lines"; fi
}

mode=${1:-}
while IFS=$'\t' read -r word instead; do
  # As a word, and as a word of an identifier: LaneX, xLane, _lane.
  words="(^|[^A-Za-z])($word)([^A-Za-z]|\$)"
  capital=$(sed -E 's/(^|\|)([a-z])/\1\U\2/g' <<< "$word")
  report "${mode:-list}" "$word" "$instead" < <(
    grep -nEi "$words" $checked || true
    grep -nE "([a-z0-9_]|\b)($capital)([A-Z_]|\b)" $checked | grep -viE "$words" || true)
done < <(awk -F'\t' 'NF == 2 && $1 !~ /^#/ && $1 != "path" { print }' eng/terms.txt)

report "${mode:-list}" 'promise number' 'the rule in words; numbers belong to test traits and docs/promises.md' < <(
  grep -nE '(//|").*\bS[0-9]{1,2}\b' $(grep '\.cs$' <<< "$checked") | grep -v 'Trait("Promise"\|PromisesTests' || true)

# Raw strings keep their lines.
report "${mode:-list}" 'line over 160 characters' 'break it' < <(
  awk 'FNR == 1 { raw = 0 } { inside = raw } { n = gsub(/"""/, "\"\"\"") } n % 2 { raw = !raw }
    length($0) > 160 && !inside && n == 0 { print FILENAME ":" FNR ": " $0 }' \
    $(grep '\.cs$' <<< "$checked") | grep -E '^[^:]+:[0-9]+: .{161,}')

# Tables, code blocks, headings, links alone and HTML comments of Markdown keep their lines.
report "${mode:-list}" 'prose over 160 characters' 'wrap it' < <(
  awk 'FNR == 1 { code = 0 } /^ *```/ { code = !code } !code && !/^ *[|#!<]/ && !/^\[/ { print FILENAME ":" FNR ": " $0 }' \
    $(grep '\.md$' <<< "$files") | grep -E '^[^:]+:[0-9]+: .{161,}')

[ "$found" = 0 ] || { echo "$found place(s): see eng/terms.txt" >&2; exit 1; }
