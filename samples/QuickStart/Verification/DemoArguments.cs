using System.Globalization;
using Narad.Kafka;

namespace QuickStart.Verification;

/// <summary>What the command line asks for.</summary>
internal sealed record DemoArguments
{
    public const string Usage = """
        Usage: demo.sh [FILE | -] [options]

        Sends each line of a JSON Lines file to a topic, keyed by a field, consumes them in a group with ordered parallel
        handlers, and proves that nothing was lost or changed places. Without FILE: the 2,000 user events beside the program.
        -  reads standard input.

          --key FIELD          the field that is the key (userId); a line without it has none
          --brokers HOST:PORT  a real Kafka (commas between several)
                               or the embedded broker of another demo, as that one prints it; it ends with that demo
          --mode MODE          embedded (default without --brokers): a broker inside this process
                               kafka (default with --brokers): the brokers named, or localhost:9092
                               console: sends nothing, logs what it would send
                               auto: kafka; where none answers and DOTNET_ENVIRONMENT is Development, console
          --topic TOPIC        user-events; created with 6 partitions where it is missing
          --group GROUP        quickstart
          --handle-delay MS    makes every handler this slow (0)
          --output FILE        writes a JSON line for each message handled in this process: key, line (its number in its
                               input), partition, offset, run (whose input; another demo in the group has another id)
          --json               makes the last line of standard output one JSON object; its duplicates are messages
                               handled again within this process
          --help

        Ctrl-C ends the run cleanly: what runs is finished first. A second Ctrl-C ends the process at once.
        Exit code: 0 all went well; 1 something was lost, out of order or not sent, no broker answered, or the run was
        interrupted before it sent anything; 2 the arguments are wrong.
        """;

    /// <summary>The input file; <c>-</c> is standard input, null what ships with the sample.</summary>
    public string? File { get; private set; }

    public string Key { get; private set; } = "userId";

    public string? Brokers { get; private set; }

    public KafkaMode? Mode { get; private set; }

    public string Topic { get; private set; } = "user-events";

    public string Group { get; private set; } = "quickstart";

    public TimeSpan HandleDelay { get; private set; }

    public string? Output { get; private set; }

    public bool Json { get; private set; }

    public bool Help { get; private set; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">It is wrong; the message says what and what to write instead.</exception>
    public static DemoArguments Parse(IReadOnlyList<string> args)
    {
        var parsed = new DemoArguments();
        var index = 0;
        while (index < args.Count)
        {
            var (name, attached) = Split(args[index++]);
            switch (name)
            {
                case "--help" or "-h" when attached is null:
                    parsed.Help = true;
                    break;
                case "--json" when attached is null:
                    parsed.Json = true;
                    break;
                case "--help" or "-h" or "--json":
                    throw new ArgumentException($"{name} takes no value.");
                case "--key":
                    parsed.Key = Value();
                    break;
                case "--brokers":
                    parsed.Brokers = BrokerList(Value());
                    break;
                case "--mode":
                    parsed.Mode = ParseMode(Value());
                    break;
                case "--topic":
                    parsed.Topic = LegalTopic(Value());
                    break;
                case "--group":
                    parsed.Group = Value();
                    break;
                case "--handle-delay":
                    parsed.HandleDelay = ParseDelay(Value());
                    break;
                case "--output":
                    parsed.Output = Value();
                    break;
                case ['-', _, ..]:
                    throw new ArgumentException($"There is no option {name}.");
                case "":
                    throw new ArgumentException("The name of the input file is empty.");
                default:
                    parsed.File = parsed.File is null
                        ? name
                        : throw new ArgumentException($"One input file, please: \"{parsed.File}\" and \"{name}\" were given.");
                    break;
            }

            string Value()
            {
                var value = attached ?? (index < args.Count && !args[index].StartsWith("--", StringComparison.Ordinal) ? args[index++] : null);
                return string.IsNullOrWhiteSpace(value) ? throw new ArgumentException($"{name} needs a value.") : value;
            }
        }

        if (parsed is { Brokers: not null, Mode: KafkaMode.Embedded or KafkaMode.Console })
        {
            throw new ArgumentException(
                $"--brokers names a real Kafka, which --mode {parsed.Mode.Value.ToString().ToLowerInvariant()} does not use: leave one of them out.");
        }

        return parsed;
    }

    /// <summary>The settings of the service: all that the library needs to know.</summary>
    public KafkaOptions ToKafkaOptions()
    {
        var options = new KafkaOptions
        {
            ClientId = "quickstart",
            Mode = Mode ?? (Brokers is null ? KafkaMode.Embedded : KafkaMode.Kafka),
            TopicCreation = TopicCreation.IfMissing,
            TopicPartitions = 6,
            SessionTimeout = TimeSpan.FromSeconds(6), // so soon is a member replaced that was killed; the least that Kafka takes
        };

        options.Brokers = Brokers ?? options.Brokers;
        return options;
    }

    // --name=value and --name value are the same; a file's name is left alone.
    private static (string Name, string? Attached) Split(string argument)
    {
        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && argument.StartsWith("--", StringComparison.Ordinal) ? (argument[..equals], argument[(equals + 1)..]) : (argument, null);
    }

    private static KafkaMode ParseMode(string value) => value.ToLowerInvariant() switch
    {
        "embedded" => KafkaMode.Embedded,
        "kafka" => KafkaMode.Kafka,
        "console" => KafkaMode.Console,
        "auto" => KafkaMode.Auto,
        _ => throw new ArgumentException($"--mode is embedded, kafka, console or auto, not \"{value}\"."),
    };

    private static string BrokerList(string value)
    {
        foreach (var broker in value.Split(',', StringSplitOptions.TrimEntries))
        {
            var colon = broker.LastIndexOf(':');
            if (colon < 1
                || broker.Contains('/', StringComparison.Ordinal)
                || !ushort.TryParse(broker.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                || port == 0)
            {
                throw new ArgumentException($"--brokers is HOST:PORT, with commas between several, not \"{value}\".");
            }
        }

        return value;
    }

    private static string LegalTopic(string value) =>
        value.Length <= 249 && value is not ("." or "..") && value.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '-')
            ? value
            : throw new ArgumentException($"--topic \"{value}\" is no legal name: up to 249 letters, digits, dots, underscores and hyphens.");

    private static TimeSpan ParseDelay(string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds <= 3_600_000
            ? TimeSpan.FromMilliseconds(milliseconds)
            : throw new ArgumentException($"--handle-delay is a whole number of milliseconds up to 3600000, not \"{value}\".");
}
