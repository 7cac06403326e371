#!/usr/bin/env bash
# Sends and handles real events through a real broker protocol, with nothing to install (samples/QuickStart):
#
#   ./demo.sh [FILE | -] [--brokers HOST:PORT] [--mode console] [--json] …     (./demo.sh --help lists the options)
#
# Built without code analysis and documentation, which take three quarters of the time of a first build.
exec dotnet run --configuration Release --property:RunAnalyzers=false --property:GenerateDocumentationFile=false \
  --project "$(dirname "${BASH_SOURCE[0]}")/samples/QuickStart" -- "$@"
