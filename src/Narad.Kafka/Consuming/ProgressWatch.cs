using System.Collections.Immutable;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Finds the partitions of a group that have something to be done and make no progress: messages are held or retries are due, and nothing was finished;
/// the retry partition that key order needs is missing; where to start cannot be found out. It only looks, and asks no broker.
/// </summary>
/// <remarks>
/// Used by the poll thread, but for <see cref="Now"/>, which any thread may read. A partition that the application paused, that is stopped, or whose
/// circuit is not closed is not looked at: health names these on its own.
/// </remarks>
internal sealed class ProgressWatch(Assignment assignment, RetrySchedule retries, ConsumerGroup group, KafkaOptions options, TimeProvider time)
{
    private ImmutableArray<(string Text, long Since, bool NeverUnhealthy)> _found = [];
    private const long Never = 0;

    private long _lost = Never;     // when partitions were lost and the group has not been joined since; written by the poll thread, read by any
    private long _turned = time.GetTimestamp();     // when the poll thread last came by; written by it, read by any

    /// <summary>What makes no progress. Any thread.</summary>
    public IEnumerable<Stall> Now
    {
        get
        {
            var idle = time.GetElapsedTime(Volatile.Read(ref _turned));
            if (idle > options.DegradedAfter)
            {
                yield return new Stall($"group '{group.Name}' does not poll: its client has not returned for {Duration.Text(Whole(idle))}. Look at "
                    + "the brokers; a restart makes a new client", idle);
            }

            if (Volatile.Read(ref _lost) is not Never and var lost
                && group.Subscriptions.Any(static subscription => subscription.State is SubscriptionState.Running or SubscriptionState.Joining))
            {
                yield return new Stall($"group '{group.Name}' lost its partitions and has not been joined again. Look at its coordinator, and at "
                    + "members that are slow to join; a client that stays outside is replaced after one to eight minutes", time.GetElapsedTime(lost));
            }

            foreach (var (text, since, neverUnhealthy) in _found)
            {
                yield return new Stall(text, time.GetElapsedTime(since), neverUnhealthy);
            }
        }
    }

    /// <summary>The poll thread continues.</summary>
    public void Turned() => Volatile.Write(ref _turned, time.GetTimestamp());

    /// <summary>The group took this member out. What brings it back is an assignment, which of the classic protocol comes also where it is empty.</summary>
    public void Lost()
    {
        if (options.GroupProtocol is KafkaGroupProtocol.Classic && _lost is Never)
        {
            Volatile.Write(ref _lost, time.GetTimestamp());
        }
    }

    /// <summary>Whether the group took this member out and has not taken it in again (classic protocol). The poll thread's.</summary>
    public bool IsOutside => _lost is not Never;

    /// <summary>The group has this member.</summary>
    public void Joined() => Volatile.Write(ref _lost, Never);

    /// <summary>Looks at all partitions: before the numbers of the latest tick are taken back.</summary>
    public void Look()
    {
        var found = ImmutableArray.CreateBuilder<(string, long, bool)>();
        var now = time.GetTimestamp();
        foreach (var partition in assignment.Partitions)
        {
            var progress = partition.Progress;
            progress.Note(partition, now);
            if (IsExcused(partition))
            {
                progress.Restart(now);
            }
            else if (StallOf(partition, now) is { } stall)
            {
                found.Add(stall);
            }
        }

        if (found.Count > 0 || !_found.IsEmpty)
        {
            ImmutableInterlocked.InterlockedExchange(ref _found, found.ToImmutable());
        }
    }

    private bool IsExcused(AssignedPartition partition) =>
        assignment.IsStopping
        || partition.IsFailureTopic
        || partition.IsPausedByName
        || partition.Unreadable is not null
        || partition.Subscription.IsEnding
        || partition.Subscription.KeyQueues.StateOf(partition) is not PartitionState.Active
        || partition.Subscription.CircuitState is not CircuitState.Closed;

    private (string, long, bool)? StallOf(AssignedPartition partition, long now)
    {
        var settings = partition.Subscription.Settings;
        if (partition is { LacksRetryPartition: true, LacksRetryPartitionSince: { } lacksSince })
        {
            return ($"{partition.Id} of group '{settings.Group}' is not handled: "
                + $"{group.WhyNoRetryPartition(partition.Id, settings.FailureTopics!.RetryNameFor(partition.Id.Topic))}", lacksSince, false);
        }

        var progress = partition.Progress;
        if (partition.Missing is not null)
        {
            return ($"{partition.Id} of group '{settings.Group}' is not read: where it starts could not be looked up", progress.Since, false);
        }

        if (partition.Subscription.KeyQueues.RunningIn(partition) is > 0 and var running)
        {
            return time.GetElapsedTime(progress.Since, now) < options.MaxPollInterval
                ? null
                : ($"{partition.Id} of group '{settings.Group}': {running} handler(s) have run for longer than MaxPollInterval "
                    + $"({Duration.Text(options.MaxPollInterval)}), and nothing was finished meanwhile. Give them a time limit (Timeout in the "
                    + "subscription's options), or find out what they wait for",
                    progress.Since + (long)(options.MaxPollInterval.TotalSeconds * time.TimestampFrequency), true);
        }

        var due = settings.Retries is null || partition.IsRecovering ? long.MaxValue : retries.NextDueOf(partition);
        var overdue = time.GetUtcNow().ToUnixTimeMilliseconds() - due;
        if (overdue <= 0)
        {
            if (partition.BufferedMessages == 0)
            {
                progress.Restart(now);
            }

            return null;
        }

        var since = Math.Max(progress.Since, now - (long)(overdue / 1000.0 * time.TimestampFrequency));
        return ($"{partition.Id} of group '{settings.Group}': retries are due and none is handled. Look at what the log says of this topic", since, false);
    }

    private static TimeSpan Whole(TimeSpan time) => TimeSpan.FromSeconds(Math.Floor(time.TotalSeconds));
}
