using System.Diagnostics;
using System.Globalization;
using Narad.Kafka;
using QuickStart.Verification.Recording;
using QuickStart.Verification.Input;
using QuickStart.Verification.Screen;

namespace QuickStart.Verification;

/// <summary>
/// One run from the first line to the summary: reads and sends the input, and watches the group until it has committed past the last
/// send and no other demo needs this one's broker, the run is interrupted, or it can not continue. Used once.
/// </summary>
/// <param name="kafka">Not connected yet.</param>
/// <param name="arguments">What the command line asks for.</param>
/// <param name="input">The lines.</param>
/// <param name="log">Where each handled message is noted; null where nobody asked.</param>
/// <param name="screen">Where news go.</param>
/// <param name="others">Who else uses the embedded broker of this process; null where the broker outlives it.</param>
/// <param name="limits">How long it waits for what may never come.</param>
internal sealed class Run(IKafkaService kafka, DemoArguments arguments, Stream input, HandledLog? log, IScreen screen, OtherRuns? others, WaitLimits limits)
{
    // Enough on the way to fill the broker's requests, few enough that a line's latency is not that of a queue in this process.
    private const int Window = 1_000;

    private const int FailuresShown = 10;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan FirstPartitions = TimeSpan.FromSeconds(10);

    // How long the last sends may take after an interruption, before nobody waits for them any more.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LastAnswer = TimeSpan.FromSeconds(5);

    // A process that slept may learn only now that its partitions are another member's, which handled their messages.
    private static readonly TimeSpan SuspectsAreLostAfter = TimeSpan.FromSeconds(5);

    private readonly Recorder _recorder = new();
    private long _malformed;
    private long _failed;
    private string? _trouble;
    private string? _latestDoubt;
    private IReadOnlyDictionary<int, long> _committed = new Dictionary<int, long>();
    private bool _waitsForOthers;
    private volatile bool _brokerGone;

    /// <summary>What this run's messages carry.</summary>
    public string Id => _recorder.Run;

    public Snapshot Recording => _recorder.Read(kafka.Mode);

    /// <param name="committed">Asks anew, when <paramref name="kafka"/> is disconnected, where the group stands.</param>
    /// <param name="stop">Ends the run cleanly before its end.</param>
    public async Task<Summary> RunAsync(Func<CancellationToken, Task<IReadOnlyDictionary<TopicPartitionId, long>>> committed, CancellationToken stop)
    {
        var interrupted = false;
        await using var stopping = stop.Register(() => screen.Say("Stopping: what runs is finished first. A second Ctrl-C ends the process at once."));
        try
        {
            await RunToItsEndAsync(stop);
        }
        catch (OperationCanceledException) when (_brokerGone || stop.IsCancellationRequested)
        {
            interrupted = !_brokerGone;
        }

        if (_brokerGone)
        {
            _trouble = string.Create(CultureInfo.InvariantCulture, $"no broker has answered for {limits.BrokerGone.TotalSeconds:0.###} s.");
        }

        var answered = kafka.IsConnected;

        // Running handlers finish and are counted, what has not started stays in the topic.
        var report = await kafka.DisconnectAsync(CancellationToken.None);
        foreach (var abandoned in report.Abandoned)
        {
            screen.Report($"did not stop in time: {abandoned}");
        }

        var brokeOff = interrupted || _trouble is not null;
        var again = brokeOff && answered && kafka.Mode == KafkaMode.Kafka ? await CountAgainAsync(committed) : null;
        var unreachable = brokeOff && again is null && kafka.Mode == KafkaMode.Kafka;
        return new Summary(Recording, Id, _malformed, _failed, interrupted, _trouble, unreachable, again);
    }

    private async Task RunToItsEndAsync(CancellationToken stop)
    {
        var demo = new Demo(kafka, arguments, _recorder, log);
        var subscription = await demo.StartAsync(stop);
        using var breakOff = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var guarding = GuardAsync(breakOff);
        var feeding = Task.CompletedTask;
        try
        {
            await WaitForPartitionsAsync(subscription, breakOff.Token);
            feeding = FeedAsync(demo, breakOff.Token);
            await WatchAsync(subscription, feeding, breakOff.Token);
        }
        finally
        {
            await breakOff.CancelAsync();
            await feeding;
            await guarding;
        }
    }

    // Breaks the run off when the broker has been gone for too long: an embedded one may have ended with its demo, and would never come back.
    private async Task GuardAsync(CancellationTokenSource breakOff)
    {
        var latest = Stopwatch.GetTimestamp();
        while (kafka.Mode != KafkaMode.Console && !breakOff.IsCancellationRequested)
        {
            if (kafka.IsConnected)
            {
                latest = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetElapsedTime(latest) >= limits.BrokerGone)
            {
                _brokerGone = true;
                await breakOff.CancelAsync();
                return;
            }

            await Task.Delay(Interval, breakOff.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // How many handled messages come again when the group continues: what it committed last, it committed while this process disconnected. Null where no broker
    // says.
    private async Task<long?> CountAgainAsync(Func<CancellationToken, Task<IReadOnlyDictionary<TopicPartitionId, long>>> committed)
    {
        using var deadline = new CancellationTokenSource(LastAnswer);
        try
        {
            return _recorder.CountUncommitted(ByPartition(await committed(deadline.Token).WaitAsync(deadline.Token)));
        }
        catch (Exception error) when (error is NaradKafkaException or OperationCanceledException)
        {
            return null;
        }
    }

    // So that the recorder knows from the first line which partitions only this process handles. In a crowded group it may get none.
    private async Task WaitForPartitionsAsync(ISubscription subscription, CancellationToken stop)
    {
        for (var waited = TimeSpan.Zero; kafka.Mode != KafkaMode.Console && waited < FirstPartitions; waited += Interval)
        {
            if (subscription.Assignment.Count > 0)
            {
                await LookAtGroupAsync(subscription, stop);
                return;
            }

            await Task.Delay(Interval, stop);
        }
    }

    // Completes, without an exception, when every send has its answer or nobody waits for it any more.
    private async Task FeedAsync(Demo demo, CancellationToken stop)
    {
        using var sending = new CancellationTokenSource();
        using var window = new SemaphoreSlim(Window);
        try
        {
            await foreach (var line in new JsonLines(input, arguments.Key).ReadAsync(stop))
            {
                if (line.Problem is not null)
                {
                    _malformed++;
                    screen.Report(string.Create(CultureInfo.InvariantCulture, $"line {line.Number} is malformed and left out: {line.Problem}"));
                    continue;
                }

                await window.WaitAsync(stop);
                _ = SendAsync(demo, line, window, sending.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            sending.CancelAfter(Grace);
        }
        catch (IOException error)
        {
            _trouble = $"the input can not be read any further: {error.Message}";
        }

        await using var impatience = stop.Register(() => sending.CancelAfter(Grace));
        for (var answered = 0; answered < Window; answered++)
        {
            await window.WaitAsync(CancellationToken.None);
        }
    }

    private async Task SendAsync(Demo demo, InputLine line, SemaphoreSlim window, CancellationToken cancellationToken)
    {
        try
        {
            await demo.SendAsync(line, cancellationToken);
        }
        catch (NaradKafkaException error)
        {
            var count = Interlocked.Increment(ref _failed);
            if (count <= FailuresShown)
            {
                var more = count == FailuresShown ? " (further ones are only counted)" : "";
                screen.Report(string.Create(CultureInfo.InvariantCulture, $"line {line.Number} was not acknowledged: {error.Message}{more}"));
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Interrupted: it was sent and not acknowledged, and the summary says so.
        }
        finally
        {
            window.Release();
        }
    }

    private async Task WatchAsync(ISubscription subscription, Task feeding, CancellationToken stop)
    {
        var doubtful = TimeSpan.Zero;
        while (true)
        {
            var fed = feeding.IsCompleted;
            if (kafka.Mode == KafkaMode.Console)
            {
                if (fed)
                {
                    return;
                }
            }
            else if (await LookAtGroupAsync(subscription, stop) is { } coverage && fed && coverage.Waiting == 0)
            {
                doubtful = coverage.Suspects == 0 ? SuspectsAreLostAfter : doubtful + Interval;
                if (doubtful >= SuspectsAreLostAfter && !await IsNeededAsync(subscription, stop))
                {
                    return;
                }
            }

            _trouble ??= TroubleOf(subscription);
            if (_trouble is not null)
            {
                return;
            }

            await Task.WhenAny(fed ? Task.Delay(Interval, stop) : feeding, Task.Delay(Interval, stop));
            stop.ThrowIfCancellationRequested();
        }
    }

    // Whether another demo still needs the broker that ends with this process.
    private async Task<bool> IsNeededAsync(ISubscription subscription, CancellationToken stop)
    {
        if (others is null || await others.AreDoneAsync(Recording.Acknowledged, Mine(subscription).Count, _committed, stop))
        {
            return false;
        }

        if (!_waitsForOthers)
        {
            _waitsForOthers = true;
            screen.Say("All of this run is handled. It waits for the other demo, whose broker ends with this one.");
        }

        return true;
    }

    // Null where the broker did not say.
    private async Task<Coverage?> LookAtGroupAsync(ISubscription subscription, CancellationToken stop)
    {
        var before = Mine(subscription);
        try
        {
            var committed = await kafka.Topics.GetCommittedOffsetsAsync(arguments.Group, arguments.Topic, stop);
            before.IntersectWith(Mine(subscription));
            _committed = ByPartition(committed);
            return _recorder.Cover(before, _committed);
        }
        catch (NaradKafkaException error)
        {
            if (!string.Equals(_latestDoubt, error.Message, StringComparison.Ordinal))
            {
                screen.Report($"how far the group has come is not known at the moment: {error.Message}");
            }

            _latestDoubt = error.Message;
            return null;
        }
    }

    private static Dictionary<int, long> ByPartition(IReadOnlyDictionary<TopicPartitionId, long> offsets) =>
        offsets.ToDictionary(offset => offset.Key.Partition, offset => offset.Value);

    private static HashSet<int> Mine(ISubscription subscription) => [.. subscription.Assignment.Select(partition => partition.Partition)];

    private string? TroubleOf(ISubscription subscription) => subscription switch
    {
        { StoppedPartitions: [var stopped, ..] } =>
            string.Create(CultureInfo.InvariantCulture, $"{stopped.Partition} stopped at offset {stopped.Offset}: {stopped.Reason.Message}"),
        { Error: { } error } => $"the subscription ended: {error.Message}",
        _ => kafka.Completion.IsFaulted ? $"the service ended: {kafka.Completion.Exception.InnerException?.Message}" : null,
    };
}
