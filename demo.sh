#!/usr/bin/env bash
# Real events through a real broker protocol, with nothing to install: builds samples/QuickStart and runs it with these arguments.
#
#   ./demo.sh [FILE | -] [--brokers HOST:PORT] [--mode console] [--json] …     (./demo.sh --help lists them)
here=$(pwd)
. "$(dirname "${BASH_SOURCE[0]}")/eng/env.sh"

project=samples/QuickStart
log=$(mktemp "${TMPDIR:-/tmp}/narad-demo.XXXXXX")
trap 'rm -f "$log"' EXIT
(cd "$repository" && dotnet build "$project" --configuration Release --verbosity quiet -nodeReuse:false) > "$log" 2>&1 < /dev/null ||
  { cat "$log" >&2; echo "The demo could not be built." >&2; exit 1; }
rm -f "$log"

# In the caller's folder, as this very process: arguments name the caller's files, signals and the exit code are the program's own.
cd "$here"
exec dotnet "$repository/$project/bin/Release/net10.0/QuickStart.dll" "$@"
