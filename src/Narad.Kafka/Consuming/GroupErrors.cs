using System.Collections.Immutable;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// What the client of a group complains about: each kind is logged once while it lasts (<see cref="OncePerKind{TKind}"/>), and what keeps the group from
/// consuming is kept for the health check, with its cause and remedy. Thread-safe.
/// </summary>
internal sealed class GroupErrors(ConsumerGroup group, KafkaOptions options, TimeProvider time, ILogger logger)
{
    private const string Membership = "membership";
    private const string Commit = "commit";
    private const string Fetch = "fetch:";      // a partition, by "topic/number"
    private const string Topic = "topic:";
    private const string Look = "look:";

    // The client repeats what it still tries every few seconds, a client that is built again every 30 s.
    private static readonly TimeSpan RepeatedWithin = TimeSpan.FromSeconds(60);

    // By code: the reasons alternate, and have figures in them. Empty since the client works again.
    private readonly OncePerKind<ErrorCode> _news = new(time);

    private StallCauses Causes => group.Causes;

    /// <summary>Whether the client said lately why the group does not take it in.</summary>
    public bool IsRefused => !Causes.IsEmpty && Causes.Now.Any(static cause => string.Equals(cause.Subject, Membership, StringComparison.Ordinal));

    /// <summary>The topics that the client was refused to read, as far as is known.</summary>
    public IReadOnlySet<string> RefusedTopics =>
        Causes.IsEmpty ? ImmutableHashSet<string>.Empty : new HashSet<string>(
            [.. Causes.SubjectsOf(Topic), .. Causes.SubjectsOf(Fetch).Select(static partition => partition[..partition.LastIndexOf('/')])],
            StringComparer.Ordinal);

    /// <summary>The client reports an error that it continues after.</summary>
    /// <param name="error">What it says.</param>
    /// <param name="partition">Of which partition, where it is about one.</param>
    public void Report(Error error, TopicPartition? partition = null)
    {
        var text = Explain(error);
        if (error.Code is ErrorCode.TopicAuthorizationFailed)
        {
            if (partition is not null)
            {
                Causes.Add(SubjectOf(partition), text);
            }
            else
            {
                foreach (var topic in group.ReadableTopics.Where(topic => error.Reason.Contains(topic, StringComparison.Ordinal)))
                {
                    Causes.Add(Topic + topic, text);
                }
            }
        }
        else if (GroupRefusals.Concern(error.Code))
        {
            Causes.Add(Membership, text, RepeatedWithin);
        }

        // A broker that is away is told by the service's own look-out for brokers.
        if (!ClientError.IsConnection(error.Code) && _news.IsDue(error.Code))
        {
            ConsumingLog.ClientError(logger, error.Code, text, group.Name);
        }
    }

    /// <summary>A fatal error: a new client tries again, and may meet it again.</summary>
    public void Fatal(Error error)
    {
        _news.IsDue(error.Code);   // logged by the poll loop
        Causes.Add(Membership, Explain(error), RepeatedWithin);
    }

    /// <summary>The group gave this member an assignment, which may be empty.</summary>
    public void Joined()
    {
        Works();
        Causes.Remove(Membership);
    }

    /// <summary>A message came from a partition.</summary>
    public void Received(AssignedPartition partition)
    {
        Works();
        if (!Causes.IsEmpty)
        {
            Causes.Remove(SubjectOf(partition.Partition));
        }
    }

    /// <summary>What a commit came to.</summary>
    public void Committed(Error error)
    {
        if (!error.IsError || error.Code is ErrorCode.Local_NoOffset)
        {
            Works();
            Causes.Remove(Commit);
            if (!error.IsError)
            {
                Causes.Remove(Membership);
            }

            return;
        }

        Causes.Add(Commit, $"offsets of group '{group.Name}' cannot be committed: {Explain(error)}", RepeatedWithin);
        if (_news.IsDue(error.Code))
        {
            // A rebalance overtakes a commit now and then: the next one has the new generation.
            var isBenign = error.Code is ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId;
            ConsumingLog.CommitFailed(logger, isBenign ? LogLevel.Debug : LogLevel.Warning, error.Code, error.Reason, group.Name);
        }
    }

    /// <summary>A topic was looked at.</summary>
    public void Looked(string topic, bool isRefused)
    {
        if (isRefused)
        {
            Causes.Add(Look + topic, $"group '{group.Name}': {MissingRight.ToLookAt(topic)}");
        }
        else
        {
            Causes.Remove(Look + topic);
        }
    }

    /// <summary>The cluster says that a topic may be read; returns whether that was not known.</summary>
    public bool MayRead(string topic)
    {
        var wasRefused = Causes.Remove(Topic + topic);
        foreach (var partition in Causes.SubjectsOf(Fetch).Where(partition => partition.StartsWith(topic + "/", StringComparison.Ordinal)))
        {
            wasRefused |= Causes.Remove(Fetch + partition);
        }

        return wasRefused;
    }

    /// <summary>What keeps the group from consuming, each cause once; without what is about partitions that are another member's.</summary>
    public IEnumerable<Stall> Now(IReadOnlySet<TopicPartitionId> assigned) => Causes.Now
        .Where(cause => !cause.Subject.StartsWith(Fetch, StringComparison.Ordinal)
            || assigned.Any(partition => string.Equals(cause.Subject, SubjectOf(partition.Topic, partition.Partition), StringComparison.Ordinal)))
        .Select(static cause => cause.Stall)
        .GroupBy(static stall => stall.Text, StringComparer.Ordinal)
        .Select(static same => same.MaxBy(static stall => stall.Lasted));

    private void Works()
    {
        if (!_news.IsEmpty)
        {
            _news.Over();
        }
    }

    private string Explain(Error error) => error.Code is ErrorCode.GroupAuthorizationFailed or ErrorCode.TopicAuthorizationFailed
        ? MissingRight.WhileReading(error.Code, group.Name, group.ReadableTopics, error.Reason)
        : GroupRefusals.Explain(error, group.Name, options) ?? error.Reason;

    private static string SubjectOf(TopicPartition partition) => SubjectOf(partition.Topic, partition.Partition.Value);

    private static string SubjectOf(string topic, int partition) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Fetch}{topic}/{partition}");
}
