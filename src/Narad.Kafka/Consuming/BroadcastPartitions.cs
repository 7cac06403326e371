using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Assigns the partitions of broadcast subscriptions: every partition of every topic, by hand. It looks for new ones every two seconds. A subscription runs
/// when all partitions of its topic are assigned at an offset that was looked up, so that it misses nothing that is sent afterwards. What comes
/// to be later (an added partition, a topic that was created) is read from its first message.
/// </summary>
/// <remarks>Single-threaded: poll thread only. Brokers are asked in the background.</remarks>
/// <param name="assignment">The partitions.</param>
/// <param name="group">Stands for all broadcast subscriptions of a client.</param>
/// <param name="transport">Where the brokers are.</param>
/// <param name="running">The brokers answered, and partitions are assigned.</param>
/// <param name="release">Takes partitions away: what runs in them is finished first.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Of the poll loop.</param>
internal sealed class BroadcastPartitions(
    Assignment assignment,
    ConsumerGroup group,
    ITransport transport,
    Action running,
    Action<List<TopicPartitionOffset>> release,
    TimeProvider time,
    ILogger logger)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan TroubleLasts = TimeSpan.FromSeconds(30);
    private const string Assign = "assigning broadcast partitions";

    private readonly BroadcastPositions _positions = group.Broadcast!;
    private readonly Dictionary<BroadcastSubscription, Dictionary<TopicPartition, long>> _catchingUp = [];
    private HashSet<string> _wanted = new(StringComparer.Ordinal);
    private bool _changed;
    private Task<List<Found>>? _asked;
    private IConsumer<byte[]?, byte[]?>? _askedBy;
    private long _next;
    private string? _said;

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before.</summary>
    public Task Asking => _asked ?? Task.CompletedTask;

    /// <summary>These topics are read from now on; no other.</summary>
    public void Want(IEnumerable<string> topics)
    {
        _wanted = topics.ToHashSet(StringComparer.Ordinal);
        _changed = true;
        _next = 0;
    }

    /// <summary>Once a turn, between two polls.</summary>
    public void Turn()
    {
        if (_asked is { IsCompleted: true } answer)
        {
            _asked = null;
            Take(answer, isCurrent: ReferenceEquals(_askedBy, assignment.Client));
        }

        if (_changed)
        {
            _changed = false;
            var unwanted = assignment.Partitions.Select(static partition => partition.Partition).Where(partition => !_wanted.Contains(partition.Topic))
                .ToList();
            if (unwanted.Count > 0)
            {
                release(unwanted.ConvertAll(static partition => new TopicPartitionOffset(partition, Offset.Unset)));
                unwanted.ForEach(_positions.Forget);
            }
        }

        if (_asked is null && _wanted.Count > 0 && !assignment.IsStopping && time.GetTimestamp() >= _next)
        {
            var client = _askedBy = assignment.Client;
            List<Wanted> topics = [.. group.Subscriptions.OfType<BroadcastSubscription>()
                .Where(subscription => _wanted.Contains(subscription.Topic) && !subscription.IsEnding)
                .Select(subscription => new Wanted(
                    subscription,
                    !subscription.Ready.IsCompleted,
                    [.. assignment.Partitions.Where(partition => ReferenceEquals(partition.Subscription, subscription))
                        .Select(static partition => partition.Partition)]))];
            _asked = Task.Run(() => AskAsync(client, topics));
        }
    }

    /// <summary>Notes how far everything is handled, and who has caught up.</summary>
    public void Tick()
    {
        foreach (var partition in assignment.Partitions)
        {
            Remember(partition);
        }

        foreach (var (subscription, ends) in _catchingUp)
        {
            foreach (var (partition, end) in ends)
            {
                if (_positions.Of(partition) is not { } position || position >= end)
                {
                    ends.Remove(partition);
                }
            }

            if (ends.Count == 0)
            {
                _catchingUp.Remove(subscription);
                subscription.CatchUp();
            }
        }
    }

    /// <summary>Notes how far a partition is handled: another client continues there.</summary>
    public void Remember(AssignedPartition partition)
    {
        if (partition.Tracker.Committable is { } position)
        {
            _positions.Set(partition.Partition, position);
        }
    }

    private void Take(Task<List<Found>> answer, bool isCurrent)
    {
        if (!answer.IsCompletedSuccessfully)
        {
            Fail(answer.Exception!.InnerException!);
            return;
        }

        _next = time.GetTimestamp() + (long)(LookInterval.TotalSeconds * time.TimestampFrequency);
        if (!isCurrent)
        {
            _next = 0;
            return;
        }

        var found = answer.Result.FindAll(topic => _wanted.Contains(topic.Subscription.Topic));
        var starts = found.SelectMany(static topic => topic.Starts).Where(start => !assignment.TryFind(start.Partition, out _)).ToList();
        try
        {
            if (starts.Count > 0)
            {
                assignment.Client.IncrementalAssign(starts.ConvertAll(static start => new TopicPartitionOffset(start.Partition, start.Offset)));
            }
        }
        catch (KafkaException error)
        {
            Fail(error);
            return;
        }

        _said = null;
        group.Causes.Remove(Assign);
        foreach (var topic in found)
        {
            topic.Starts.RemoveAll(start => !starts.Contains(start));
            Begin(topic);
        }

        if (starts.Count > 0)
        {
            ConsumingLog.Assigned(logger, starts.Count, assignment.Partitions.Count, group.Name);
            assignment.Changed = true;
        }

        if (found.Count > 0)
        {
            running();
        }
    }

    private void Begin(Found topic)
    {
        var subscription = topic.Subscription;
        var ends = new Dictionary<TopicPartition, long>();
        foreach (var start in topic.Starts)
        {
            var partition = assignment.Add(start.Partition, subscription);
            partition.StartAt = start.Offset;
            partition.Tracker.Begin(start.Offset);
            partition.SkipsUntil = start.SkipsUntil;
            Remember(partition);
            if (start.End is { } end)
            {
                ends[start.Partition] = end;
            }

            if (assignment.IsStopping || subscription.IsEnding)
            {
                subscription.KeyQueues.Drain(partition);
            }
        }

        if (subscription.State is SubscriptionState.Joining)
        {
            ConsumingLog.BroadcastRuns(logger, subscription.Topic, topic.Count);
            subscription.MoveTo(SubscriptionState.Running);
            if (!subscription.IsCaughtUp)
            {
                _catchingUp.TryAdd(subscription, ends);
            }
        }
    }

    private void Fail(Exception error)
    {
        _next = time.GetTimestamp() + (long)(AskAgain.TotalSeconds * time.TimestampFrequency);
        group.Causes.Add(Assign, $"the partitions of broadcast subscriptions could not be looked up: {error.Message}", TroubleLasts);
        if (!string.Equals(_said, error.Message, StringComparison.Ordinal))
        {
            _said = error.Message;
            ConsumingLog.BroadcastNotAssigned(logger, error);
        }
    }

    // On another thread: changes nothing.
    private async Task<List<Found>> AskAsync(IConsumer<byte[]?, byte[]?> client, List<Wanted> topics)
    {
        var counts = await transport.Topics.GetPartitionCountsAsync(topics.Select(static topic => topic.Subscription.Topic), CancellationToken.None)
            .ConfigureAwait(false);
        var found = new List<Found>();
        foreach (var topic in topics)
        {
            if (counts.TryGetValue(topic.Subscription.Topic, out var count))
            {
                List<TopicPartition> missing = [.. Enumerable.Range(0, count).Select(number => new TopicPartition(topic.Subscription.Topic, number))
                    .Where(partition => !topic.Assigned.Contains(partition))];
                found.Add(new Found(topic.Subscription, count, StartsOf(client, topic, missing)));
            }
        }

        return found;
    }

    private List<Start> StartsOf(IConsumer<byte[]?, byte[]?> client, Wanted topic, List<TopicPartition> partitions)
    {
        var settings = topic.Subscription.Settings;
        var starts = new List<Start>(partitions.Count);
        foreach (var partition in partitions)
        {
            if (_positions.Of(partition) is { } position)
            {
                starts.Add(new Start(partition, position));
                continue;
            }

            var log = client.QueryWatermarkOffsets(partition, AskTimeout);
            if (!topic.IsNew)
            {
                starts.Add(new Start(partition, log.Low.Value));
                continue;
            }

            // The embedded broker finds no offsets by time: there everything before it is read and left out.
            starts.Add(settings.StartTime is { } since
                ? transport.Mode is KafkaMode.Embedded
                    ? new Start(partition, log.Low.Value, log.High.Value, since.ToUnixTimeMilliseconds())
                    : new Start(partition, OffsetAt(client, partition, since, log.High.Value), log.High.Value)
                : new Start(partition, settings.Start is StartPosition.Earliest ? log.Low.Value : log.High.Value, log.High.Value));
        }

        return starts;
    }

    private static long OffsetAt(IConsumer<byte[]?, byte[]?> client, TopicPartition partition, DateTimeOffset since, long end)
    {
        // To the client a millisecond before 1970 is its word for "the end".
        var time = new Timestamp(Math.Max(0, since.ToUnixTimeMilliseconds()), TimestampType.CreateTime);
        var found = client.OffsetsForTimes([new TopicPartitionTimestamp(partition, time)], AskTimeout)[0].Offset;
        return found.IsSpecial ? end : found.Value;
    }

    private sealed record Wanted(BroadcastSubscription Subscription, bool IsNew, HashSet<TopicPartition> Assigned);

    private sealed record Found(BroadcastSubscription Subscription, int Count, List<Start> Starts);

    private sealed record Start(TopicPartition Partition, long Offset, long? End = null, long? SkipsUntil = null);
}
