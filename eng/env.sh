# What every script of this repository needs first: the .NET SDK, and the native library where no package source has it.
# To be sourced; leaves $repository set and NARAD_NATIVE_LIBRARY exported where it is needed. Needs bash.
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
