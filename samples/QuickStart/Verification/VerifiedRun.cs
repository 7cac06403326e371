using System.Runtime.InteropServices;
using Narad.Kafka;
using QuickStart.Verification.Recording;
using QuickStart.Verification.Screen;

namespace QuickStart.Verification;

/// <summary>What <c>demo.sh</c> runs: sends the lines of a file, handles them in a group, and verifies that none is lost or out of order.</summary>
internal static class VerifiedRun
{
    private const int WrongArguments = 2;

    /// <summary>Runs it in this process. Ctrl-C and SIGTERM stop it cleanly; a second one ends the process at once.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        return await RunAsync(args, options => new KafkaService(options), Terminal.Standard(), stop.Token);

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            if (!signal.Cancel)
            {
                Console.Error.WriteLine("Ended at once: what ran was not finished.");
            }

            stop.Cancel();
        }
    }

    /// <summary>Runs it between arguments and exit code, apart from the process around it.</summary>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, Func<KafkaOptions, IKafkaService> connect, Terminal terminal, CancellationToken stop, WaitLimits? limits = null)
    {
        try
        {
            var arguments = DemoArguments.Parse(args);
            if (arguments.Help)
            {
                await terminal.Output.WriteLineAsync(DemoArguments.Usage);
                return 0;
            }

            await using var input = Open(arguments, terminal);
            using var log = Create(arguments);

            var options = arguments.ToKafkaOptions();
            using var broker = options.Mode == KafkaMode.Embedded ? EmbeddedBroker.Start() : null;
            if (options.Mode is KafkaMode.Kafka or KafkaMode.Auto)
            {
                await terminal.Output.WriteLineAsync($"Connecting to {options.Brokers} …");
            }

            if (broker is not null)
            {
                options.EmbeddedBroker = broker;
                broker.CreateTopic(arguments.Topic, options.TopicPartitions); // before anybody is invited: one that joins can not create it
                await terminal.Output.WriteLineAsync(
                    $"The embedded broker listens on {broker.BootstrapServers}: a second demo joins with --brokers {broker.BootstrapServers}");
            }

            await using var kafka = connect(options);
            limits ??= WaitLimits.Default;
            using var others = broker is null ? null : new OtherRuns(broker, arguments.Topic, limits.OthersQuiet);
            var screen = terminal.Screen(options.Mode);
            var run = new Run(kafka, arguments, input, log, screen, others, limits);
            if (arguments.Output is not null)
            {
                await terminal.Output.WriteLineAsync($"In {arguments.Output} this run is {run.Id}");
            }

            var summary = await screen.ShowAsync(() => run.Recording, () => run.RunAsync(token => CommittedAsync(kafka.Mode, token), stop));
            SummaryTable.Write(terminal, summary, arguments);
            if (arguments.Json)
            {
                await terminal.Output.WriteLineAsync(summary.ToJson());
            }

            return summary.ExitCode;

            // By a service of its own: the run's is disconnected by then.
            async Task<IReadOnlyDictionary<TopicPartitionId, long>> CommittedAsync(KafkaMode mode, CancellationToken cancellationToken)
            {
                options.Mode = mode;
                await using var again = connect(options);
                return await again.Init().Topics.GetCommittedOffsetsAsync(arguments.Group, arguments.Topic, cancellationToken);
            }
        }
        catch (ArgumentException error)
        {
            await terminal.Error.WriteLineAsync($"{error.Message}\nSee --help.");
            return WrongArguments;
        }
        catch (KafkaConfigurationException error)
        {
            await terminal.Error.WriteLineAsync(error.Message);
            return WrongArguments;
        }
        catch (Exception error) when (error is NaradKafkaException or NotSupportedException)
        {
            await terminal.Error.WriteLineAsync(error.Message);
            return 1;
        }
    }

    private static Stream Open(DemoArguments arguments, Terminal terminal)
    {
        if (arguments.File is "-")
        {
            return terminal.Input;
        }

        var path = arguments.File ?? Path.Combine(AppContext.BaseDirectory, "events.jsonl");
        if (Directory.Exists(path))
        {
            throw new ArgumentException($"The input can not be read: {path} is a folder.");
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, useAsync: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"The input can not be read: {error.Message}", error);
        }
    }

    private static HandledLog? Create(DemoArguments arguments)
    {
        if (arguments.Output is null)
        {
            return null;
        }

        if (Directory.Exists(arguments.Output))
        {
            throw new ArgumentException($"The output can not be written: {arguments.Output} is a folder.");
        }

        if (arguments.File is not (null or "-")
            && string.Equals(Path.GetFullPath(arguments.File), Path.GetFullPath(arguments.Output), StringComparison.Ordinal))
        {
            throw new ArgumentException("--output would overwrite the input: name another file.");
        }

        try
        {
            return new HandledLog(arguments.Output);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"The output can not be written: {error.Message}", error);
        }
    }
}
