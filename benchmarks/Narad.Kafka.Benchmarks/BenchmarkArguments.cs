using System.Globalization;

namespace Narad.Kafka.Benchmarks;

/// <summary>The command line.</summary>
internal sealed record BenchmarkArguments
{
    public const string Help =
        """
        ./bench.sh [--brokers HOST:PORT] [--rows ROW,ROW…] [--rounds N] [--messages N] [--json FILE]

          --brokers   a real broker; default: the embedded one, in this process
          --rows      send, latency, consume, empty, slow, lanes, tracker; default: all
          --rounds    measured rounds of each row, after an unmeasured one; default 5
          --messages  messages of each run of send, consume, empty and lanes; default 100000 (the embedded broker keeps no more)
          --json      writes everything to this file too

        Everything is compared with Confluent.Kafka itself, in this process and this run: compare ratios, not machines.
        """;

    public static readonly IReadOnlyList<string> AllRows = ["send", "latency", "consume", "empty", "slow", "lanes", "tracker"];

    public string? Brokers { get; private init; }

    public string? Json { get; private init; }

    public int Rounds { get; private init; } = 5;

    public int Messages { get; private init; } = 100_000;

    public IReadOnlyList<string> Rows { get; private init; } = AllRows;

    /// <summary>The arguments, or what is wrong with them.</summary>
    public static (BenchmarkArguments? Arguments, string? Fault) Parse(string[] arguments)
    {
        var parsed = new BenchmarkArguments();
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (i + 1 == arguments.Length)
            {
                return (null, $"{arguments[i]} is not known, or its value is missing.");
            }

            var value = arguments[i + 1];
            switch (arguments[i])
            {
                case "--brokers":
                    parsed = parsed with { Brokers = value };
                    break;
                case "--json":
                    parsed = parsed with { Json = value };
                    break;
                case "--rows":
                    var rows = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                    if (rows.Length == 0 || rows.Except(AllRows, StringComparer.Ordinal).Any())
                    {
                        return (null, $"--rows {value}: there are {string.Join(", ", AllRows)}.");
                    }

                    parsed = parsed with { Rows = rows };
                    break;
                case "--rounds" when TryCount(value, 1_000, out var rounds):
                    parsed = parsed with { Rounds = rounds };
                    break;
                case "--messages" when TryCount(value, 100_000_000, out var messages):
                    parsed = parsed with { Messages = messages };
                    break;
                case "--rounds" or "--messages":
                    return (null, $"{arguments[i]} {value}: a number above 0 is needed.");
                default:
                    return (null, $"{arguments[i]} is not known.");
            }
        }

        return parsed is { Brokers: null, Messages: > 100_000 }
            ? (null, "The embedded broker keeps no more than 100000 of these messages: name a real one with --brokers for more.")
            : (parsed, null);
    }

    private static bool TryCount(string value, int most, out int count) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0 && count <= most;
}
