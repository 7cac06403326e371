# What every script of this repository needs first: the .NET SDK, and the native library where no package source has it.
# To be sourced; leaves $repository set, NARAD_NATIVE_LIBRARY exported where it is needed, and the functions build and build_and_run. Needs bash.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT="${DOTNET_CLI_TELEMETRY_OPTOUT:-1}"

if ! command -v dotnet > /dev/null; then
  for folder in "${DOTNET_ROOT:-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet /usr/local/share/dotnet; do
    [ ! -x "$folder/dotnet" ] || { export PATH="$folder:$PATH"; break; }
  done
fi
if ! command -v dotnet > /dev/null; then
  echo "The .NET SDK 10 is needed and 'dotnet' is not on the PATH: install it (https://dot.net/download) and run this again." >&2
  exit 1
fi
if ! (cd "$repository" && dotnet --version) > /dev/null 2>&1; then
  echo "The .NET SDK 10 is needed (global.json); 'dotnet --list-sdks' says that this machine has: $(dotnet --list-sdks | cut -d' ' -f1 | tr '\n' ' ')" >&2
  exit 1
fi

native=$("$repository/eng/native.sh")
eval "$native"
unset native folder

# build PROJECT-FOLDER: builds quietly; what it says is shown where it fails.
build() {
  local project=$repository/$1 log
  log=$(mktemp "${TMPDIR:-/tmp}/narad-build.XXXXXX")
  echo "building $(basename "$project") ..." >&2
  (cd "$repository" && dotnet build "$project" --configuration Release --verbosity quiet -nodeReuse:false) > "$log" 2>&1 < /dev/null ||
    { cat "$log" >&2; rm -f "$log"; echo "$(basename "$project") could not be built." >&2; exit 1; }
  rm -f "$log"
}

# build_and_run PROJECT-FOLDER [arguments]: builds, then becomes that program, in the caller's folder: its arguments may name the
# caller's files, its output is the program's alone, and signals and exit code are its own.
build_and_run() {
  local project=$repository/$1
  build "$1"
  shift
  exec dotnet "$project/bin/Release/net10.0/$(basename "$project").dll" "$@"
}
