#!/usr/bin/env bash
# Breaks three real brokers, members and processes under load and verifies what arrived (eng/soak.sh --help).
exec dotnet run --configuration Release --project "$(dirname "${BASH_SOURCE[0]}")/../tests/Narad.Kafka.Soak" -- "$@"
