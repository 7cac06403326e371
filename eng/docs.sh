#!/usr/bin/env bash
# Builds the documentation site into docs/_site: the pages of docs/ and the API of src/. A broken link fails.
#
#   eng/docs.sh            everything (about two minutes)
#   eng/docs.sh --pages    the pages only, without the API
#   eng/docs.sh --serve    everything, and then serves it on http://localhost:8080
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dotnet tool restore --verbosity quiet
rm -rf docs/_site docs/api
if [ "${1:-}" = --pages ]; then
  mkdir docs/api
  echo '[]' > docs/api/toc.yml
else
  dotnet docfx metadata docs/docfx.json --logLevel warning
fi
result=$(dotnet docfx build docs/docfx.json --warningsAsErrors --logLevel warning) || { echo "$result" >&2; exit 1; }
echo "$result"
! grep -qE '(warning|error) [A-Z]' <<< "$result" || exit 1
[ "${1:-}" != --serve ] || dotnet docfx serve docs/_site
