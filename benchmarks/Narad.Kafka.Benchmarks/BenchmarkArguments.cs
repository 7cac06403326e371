using System.Globalization;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Benchmarks;

/// <summary>The command line.</summary>
internal sealed record BenchmarkArguments
{
    public const string Help =
        """
        ./bench.sh [--brokers HOST:PORT] [--mongodb URI] [--quick] [--rows ROW,ROW…] [--rounds N] [--messages N] [--json FILE]

          --brokers   a real broker (topics narad-bench-… are created and deleted there); default: the embedded one, in this process
          --mongodb   a MongoDB server for the rows store, inbox and outbox (a database narad-bench-… is created and dropped there; a replica set for the
                      inbox with transactions and for the outbox); default: these rows are measured in memory only
          --quick     a first look in under a minute: two rounds of fewer messages, unless --rounds and --messages say otherwise
          --rows      send, latency, consume, host, bytes, slow, key-queues, idle, schema, store, inbox, outbox,
                      tracker; default: all of these; and exactly, with --brokers only
          --rounds    measured rounds of each row, after an unmeasured one; default 5
          --messages  messages of each run of send, consume, host and bytes; default 100000 (the embedded broker keeps no more)
          --json      writes everything to this file too
          --help      this

        Everything is compared with Confluent.Kafka itself, in this process and this run: compare ratios, not machines. A target that is missed
        is said so and changes no exit code; 1 says that something failed or that messages were lost, 2 that an argument is wrong.
        """;

    public static readonly IReadOnlyList<string> AllRows =
        ["send", "latency", "consume", "host", "bytes", "slow", "key-queues", "idle", "schema", "store", "inbox", "outbox", "tracker"];

    /// <summary>The row that the embedded broker cannot have.</summary>
    public const string Transactions = "exactly";

    private const int EmbeddedMessages = 100_000;

    public string? Brokers { get; private init; }

    public string? MongoDb { get; private init; }

    public string? Json { get; private init; }

    public bool Quick { get; private init; }

    public int Rounds { get; private init; }

    public int Messages { get; private init; }

    /// <summary>Of a handler that takes its time: more than a group buffers, or nothing would be paused.</summary>
    public int SlowMessages => Quick ? 25_000 : 40_000;

    /// <summary>Of what needs no broker.</summary>
    public int KeyQueueMessages => Quick ? 500_000 : 2_000_000;

    /// <summary>Of the rows that write each message to a database.</summary>
    public int StoredMessages => Quick ? 1_000 : 5_000;

    /// <summary>Messages that the relay of an outbox in a database finds pending.</summary>
    public int OutboxMessages => Quick ? 2_000 : 10_000;

    /// <summary>Messages that are enqueued in a database one after the other.</summary>
    public int OutboxEnqueues => Quick ? 50 : 200;

    public IReadOnlyList<string> Rows { get; private init; } = AllRows;

    /// <summary>The arguments, or what is wrong with them.</summary>
    public static (BenchmarkArguments? Arguments, string? Error) Parse(string[] arguments)
    {
        var parsed = new BenchmarkArguments();
        for (var i = 0; i < arguments.Length; i++)
        {
            var name = arguments[i];
            if (name is "--quick")
            {
                parsed = parsed with { Quick = true };
                continue;
            }

            if (name is not ("--brokers" or "--mongodb" or "--rows" or "--rounds" or "--messages" or "--json"))
            {
                return (null, $"{name} is not known.");
            }

            if (++i == arguments.Length || arguments[i].StartsWith("--", StringComparison.Ordinal) || arguments[i].Length == 0)
            {
                return (null, $"{name} needs a value.");
            }

            var value = arguments[i];
            switch (name)
            {
                case "--brokers":
                    var errors = BrokerList.Split(value).Select(broker => BrokerList.Error(broker)).DefaultIfEmpty("write host:port").OfType<string>();
                    if (errors.FirstOrDefault() is { } error)
                    {
                        return (null, $"--brokers {value}: {error}.");
                    }

                    parsed = parsed with { Brokers = value };
                    break;
                case "--mongodb":
                    parsed = parsed with { MongoDb = value };
                    break;
                case "--rows":
                    var rows = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                    if (rows.Length == 0 || rows.Except([.. AllRows, Transactions], StringComparer.Ordinal).Any())
                    {
                        return (null, $"--rows {value}: there are {string.Join(", ", AllRows)}, and {Transactions}.");
                    }

                    parsed = parsed with { Rows = rows };
                    break;
                case "--rounds" when TryCount(value, 1_000, out var rounds):
                    parsed = parsed with { Rounds = rounds };
                    break;
                case "--messages" when TryCount(value, 100_000_000, out var messages):
                    parsed = parsed with { Messages = messages };
                    break;
                case "--json":
                    parsed = parsed with { Json = value };
                    break;
                default:
                    return (null, $"{name} {value}: a number from 1 to {(name is "--rounds" ? "1000" : "100000000")} is needed.");
            }
        }

        if (parsed is { Brokers: null, Messages: > EmbeddedMessages })
        {
            return (null,
                $"--messages {parsed.Messages}: the embedded broker keeps no more than {EmbeddedMessages} of these; name a real one with --brokers for more.");
        }

        if (parsed.Brokers is null && parsed.Rows.Contains(Transactions, StringComparer.Ordinal))
        {
            return (null, $"--rows {Transactions}: the embedded broker has no transactions; name a real one with --brokers.");
        }

        return (parsed with
        {
            Rounds = parsed.Rounds > 0 ? parsed.Rounds : parsed.Quick ? 2 : 5,
            Messages = parsed.Messages > 0 ? parsed.Messages : parsed.Quick ? EmbeddedMessages / 2 : EmbeddedMessages,
        }, null);
    }

    private static bool TryCount(string value, int most, out int count) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0 && count <= most;
}
