using System.Collections.Immutable;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// The consumer groups of a service: those that the application connected, those that read their retry topics, and the readers of broadcast subscriptions.
/// Thread-safe.
/// </summary>
/// <param name="options">Of the service.</param>
/// <param name="diagnostics">Of the service.</param>
/// <param name="topics">Completes the declared topics before anything is read.</param>
/// <param name="failed">Told of a failure that ends a group, and whether the host is to stop.</param>
internal sealed class ServiceGroups(KafkaOptions options, KafkaDiagnostics diagnostics, TopicPreparation topics, Action<Exception, bool> failed)
{
    private readonly Lock _lock = new();
    private bool _closed;   // under _lock

    // Written under _lock, read by anybody.
    private ImmutableDictionary<string, ConsumerGroup> _groups = ImmutableDictionary.Create<string, ConsumerGroup>(StringComparer.Ordinal);
    private ImmutableDictionary<string, ConsumerGroup> _retries = ImmutableDictionary.Create<string, ConsumerGroup>(StringComparer.Ordinal);  // by their group
    private ImmutableList<ConsumerGroup> _broadcasts = [];    // one for each client

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<ConsumerGroup> All => [.. _groups.Values, .. _retries.Values, .. _broadcasts];

    /// <summary>Connects a group, where that has not been done.</summary>
    /// <returns>Whether it has been now.</returns>
    public bool TryConnect(string name, ITransport transport)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(KafkaService));
            if (_groups.ContainsKey(name))
            {
                return false;
            }

            _groups = _groups.Add(name, new ConsumerGroup(name, transport, options, diagnostics, failed) { Prepared = topics.CompleteAsync });
            return true;
        }
    }

    /// <summary>The group of a name, or the only one.</summary>
    /// <exception cref="KafkaNotConnectedException">It is not connected.</exception>
    /// <exception cref="InvalidOperationException">No name was given, and there are several.</exception>
    public ConsumerGroup Get(string? group)
    {
        var groups = _groups;
        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
            return groups.TryGetValue(group, out var named)
                ? named
                : throw new KafkaNotConnectedException($"Group '{group}' is not connected: call ConnectConsumerAsync(\"{group}\") first.{Connected(groups)}");
        }

        return groups.Count switch
        {
            1 => groups.Values.First(),
            0 => throw new KafkaNotConnectedException("Kafka is not connected for consuming: call ConnectConsumerAsync(group) first."),
            _ => throw new InvalidOperationException($"Several groups are connected: say which one this subscription is for.{Connected(groups)}"),
        };
    }

    /// <summary>The group that reads the retry topics of a group.</summary>
    public ConsumerGroup RetriesOf(string group, ITransport transport)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(KafkaService));
            if (!_retries.TryGetValue(group, out var retries))
            {
                retries = new ConsumerGroup(group + FailureTopics.RetrySuffix, transport, options, diagnostics, failed);
                _retries = _retries.Add(group, retries);
            }

            return retries;
        }
    }

    /// <summary>The readers of a broadcast topic. One client reads all topics; a second subscription to one of them has another.</summary>
    public ConsumerGroup ReadersOf(string topic, ITransport transport)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(KafkaService));
            if (_broadcasts.Find(readers => readers.Reserve(topic)) is { } free)
            {
                return free;
            }

            var name = $"{options.ClientId}{BroadcastRules.SectionSuffix}{(_broadcasts.IsEmpty ? "" : $"-{_broadcasts.Count + 1}")}";
            var added = new ConsumerGroup(name, transport, options, diagnostics, failed)
            {
                Broadcast = new BroadcastPositions(),
                Prepared = topics.CompleteAsync,
            };
            added.Reserve(topic);
            _broadcasts = _broadcasts.Add(added);
            return added;
        }
    }

    /// <summary>Takes no more groups.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    private static string Connected(ImmutableDictionary<string, ConsumerGroup> groups) =>
        groups.Count == 0 ? "" : $" Connected: {string.Join(", ", groups.Keys.Order(StringComparer.Ordinal))}.";
}
