using System.Globalization;
using Narad.Kafka.Soak.Scenarios;

namespace Narad.Kafka.Soak;

/// <summary>The command line.</summary>
internal sealed record SoakArguments(IReadOnlyList<Scenario> Scenarios, int Seed, int? Rate, string Log)
{
    public const string Help = """
        eng/soak.sh MINUTES [--seed N] [--rate N] [--log FILE]
        eng/soak.sh --failures [MINUTES] [--seed N] [--rate N] [--log FILE]
        eng/soak.sh --scenario NAME[,NAME …] [--seed N] [--rate N] [--log FILE]
        eng/soak.sh --list
        eng/soak.sh --check

          MINUTES      random faults under a running load, for so long, and then the recorder
          --failures   the same where 5 % of the messages fail in their handlers and 1 % cannot be read: retries and dead letters; default: 5 minutes
          --scenario   one fault, or several one after the other, each with its stated outcome; 'all' for all of --list
          --check      shows the verifiers of 'key-order' and 'exactly-once' what they must find; needs no broker
          --seed       chooses the faults, and when they come; default: another one every time, printed
          --rate       messages a second; default 500, or the scenario's own
          --log        where the library's log goes: FILE-SCENARIO.log; default: narad-soak in the temporary folder

        NARAD_TEST_KAFKA names three brokers ('hanging-broker-alone': one), NARAD_TEST_KAFKA_BROKER the command that makes them fail.
        Exit code 1: something was lost, out of order or handled too early, or a stated outcome did not come about. 2: an argument or a variable is wrong.
        """;

    private const double UsualMinutes = 5;

    public static (SoakArguments? Arguments, string Fault) Parse(string[] args)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        double minutes = 0;
        var failures = false;
        for (var at = 0; at < args.Length; at++)
        {
            if (args[at] is "--scenario" or "--seed" or "--rate" or "--log")
            {
                if (at + 1 == args.Length)
                {
                    return (null, $"{args[at]} needs a value.");
                }

                values[args[at]] = args[++at];
            }
            else if (args[at] is "--failures")
            {
                failures = true;
            }
            else if (!double.TryParse(args[at], CultureInfo.InvariantCulture, out minutes) || minutes <= 0)
            {
                return (null, $"'{args[at]}' is neither an option nor a number of minutes.");
            }
        }

        if (!Number("--seed", out var seed) || !Number("--rate", out var rate))
        {
            return (null, "--seed and --rate are whole numbers above 0.");
        }

        List<Scenario> scenarios = [];
        if (values.TryGetValue("--scenario", out var names))
        {
            foreach (var name in names.Split(',', StringSplitOptions.TrimEntries))
            {
                var found = AllScenarios.All.Where(
                    scenario => (name is "all" && scenario.Brokers > 1) || string.Equals(scenario.Name, name, StringComparison.Ordinal)).ToList();
                if (found.Count == 0)
                {
                    return (null, $"There is no scenario '{name}'.");
                }

                scenarios.AddRange(found);
            }
        }
        else if (failures)
        {
            scenarios.Add(FailingHandlers.For(TimeSpan.FromMinutes(minutes > 0 ? minutes : UsualMinutes)));
        }
        else if (minutes > 0)
        {
            scenarios.Add(RandomFaults.For(TimeSpan.FromMinutes(minutes)));
        }

        return scenarios.Count == 0
            ? (null, "Say how many minutes, or which --scenario.")
            : (new SoakArguments(scenarios, seed ?? Random.Shared.Next(1, 1_000_000), rate, values.GetValueOrDefault("--log")
                ?? Path.Combine(Path.GetTempPath(), "narad-soak")), "");

        bool Number(string option, out int? number)
        {
            number = values.TryGetValue(option, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var parsed) ? parsed : null;
            return text is null || number > 0;
        }
    }
}
