#!/usr/bin/env bash
# Sends and handles real events through a real broker protocol, with nothing to install (samples/QuickStart):
#
#   ./demo.sh [FILE | -] [--brokers HOST:PORT] [--mode console] [--json] …     (./demo.sh --help lists the options)
exec dotnet run --configuration Release --project "$(dirname "${BASH_SOURCE[0]}")/samples/QuickStart" -- "$@"
