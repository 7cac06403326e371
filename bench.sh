#!/usr/bin/env bash
# Measures the library against Confluent.Kafka in one process (./bench.sh --help lists the rows and options).
exec dotnet run --configuration Release --project "$(dirname "${BASH_SOURCE[0]}")/benchmarks/Narad.Kafka.Benchmarks" -- "$@"
