#!/usr/bin/env bash
# Real events through a real broker protocol, with nothing to install: builds samples/QuickStart and runs it with these arguments.
#
#   ./demo.sh [FILE | -] [--brokers HOST:PORT] [--mode console] [--json] …     (./demo.sh --help lists them)
. "$(dirname "${BASH_SOURCE[0]}")/eng/env.sh"

build_and_run samples/QuickStart "$@"
