using System.Collections.ObjectModel;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Topics;

/// <summary>
/// The topics of a cluster: Kafka's, created and deleted by request, or those of the embedded broker of this process, through its own functions
/// (it serves no such request, and keeps no settings). Looking never creates a topic: the request says so.
/// Thread-safe.
/// </summary>
internal sealed class KafkaTopics : IKafkaTopics
{
    private const int NoPartition = int.MaxValue;   // no topic has so many

    private static readonly TimeSpan CreateTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SeenInterval = TimeSpan.FromMilliseconds(50);

    private readonly AdminConnection _admin;
    private readonly KafkaTopicSettings _settings;
    private readonly KafkaOptions _options;
    private readonly DeclaredTopics _declared;
    private readonly EmbeddedBroker? _broker;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private int _saidNoIds;

    public KafkaTopics(AdminConnection admin, KafkaOptions options, KafkaDiagnostics diagnostics, EmbeddedBroker? broker)
    {
        _admin = admin;
        _settings = new KafkaTopicSettings(admin, options.ConnectTimeout);
        _options = options;
        _declared = new DeclaredTopics(options);
        _broker = broker;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<KafkaTopics>();
    }

    public async Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
    {
        var wanted = WantedTopics.Check(topics);
        cancellationToken.ThrowIfCancellationRequested();
        if (_broker is not null && wanted.Find(spec => spec.Settings is { Count: > 0 }) is { } withSettings)
        {
            throw new NotSupportedException(
                $"Topic {withSettings.Name}: the embedded broker keeps no topic settings ({string.Join(", ", withSettings.Settings!.Keys)}). Leave them out "
                    + $"in Embedded mode.");
        }

        await CreateMissingAsync(wanted, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Creates what does not exist, checked before; what was declared is created as declared. Those that this call created.</summary>
    /// <inheritdoc cref="IKafkaTopics.CreateIfNotExistsAsync" path="/exception"/>
    public async Task<IReadOnlyCollection<string>> CreateMissingAsync(List<TopicSpec> wanted, CancellationToken cancellationToken)
    {
        var found = await LookAsync([.. wanted.Select(spec => spec.Name)], cancellationToken).ConfigureAwait(false);
        var missing = wanted.FindAll(spec => !found.ContainsKey(spec.Name));
        foreach (var spec in wanted)
        {
            if (found.TryGetValue(spec.Name, out var partitions))
            {
                WantedTopics.CheckPartitions(spec, partitions);
            }
        }

        if (missing.Count == 0)
        {
            return [];
        }

        var complete = missing.ConvertAll(_declared.Complete);
        List<string> created;
        if (_broker is not null)
        {
            created = [.. complete.Where(spec => _broker.CreateTopic(spec.Name, PartitionsOf(spec))).Select(spec => spec.Name)];
        }
        else
        {
            created = await CreateAsync(complete, cancellationToken).ConfigureAwait(false);
        }

        foreach (var spec in complete.Where(spec => created.Contains(spec.Name)))
        {
            TopicsLog.Created(_logger, spec.Name, PartitionsOf(spec));
        }

        await SeeAsync(missing, cancellationToken).ConfigureAwait(false);
        return created;
    }

    public async Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var names = WantedTopics.Names(topics);
        cancellationToken.ThrowIfCancellationRequested();
        return await LookAsync([.. names], cancellationToken).ConfigureAwait(false);
    }

    public async Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default)
    {
        TopicName.Validate(topic, nameof(topic));
        cancellationToken.ThrowIfCancellationRequested();
        if (_broker is not null)
        {
            return (await FindAsync([topic], cancellationToken).ConfigureAwait(false)).Find(_ => true) is { } embedded
                ? TopicSettings.Describe(topic, embedded.Partitions, embedded.Replicas, _ => null, new Dictionary<string, string>(StringComparer.Ordinal))
                : null;
        }

        // Both at once, so that a broker that does not answer is waited for once.
        var finding = FindAsync([topic], cancellationToken);
        var reading = _settings.ReadAsync(topic, cancellationToken);
        try
        {
            await Task.WhenAll(finding, reading).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw ExceptionFor($"The settings of topic {topic} could not be looked at", topic, failure, "tells no settings", "DescribeConfigs");
        }

        return (await finding.ConfigureAwait(false)).Find(_ => true) is { } found && await reading.ConfigureAwait(false) is { } settings
            ? TopicSettings.Describe(
                topic,
                found.Partitions,
                found.Replicas,
                name => settings.GetValueOrDefault(name)?.Value,
                settings.Values.Where(entry => entry.Source is ConfigSource.DynamicTopicConfig)
                    .ToDictionary(entry => entry.Name, entry => entry.Value ?? "", StringComparer.Ordinal))
            : null;
    }

    public async Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default)
    {
        TopicName.Validate(topic, nameof(topic));
        TopicSettings.CheckRetention(retention, nameof(retention));
        cancellationToken.ThrowIfCancellationRequested();
        if (_broker is not null)
        {
            throw new NotSupportedException(
                $"Topic {topic}: the embedded broker keeps no topic settings, and its messages until it is full: retention cannot be set in Embedded mode.");
        }

        try
        {
            await _settings.SetAsync(topic, TopicSettings.Retention, TopicSettings.RetentionText(retention), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw ExceptionFor($"The retention of topic {topic} could not be set", topic, failure, "changes no settings", "AlterConfigs");
        }

        TopicsLog.RetentionSet(_logger, topic, TopicsLog.Text(retention));
    }

    public async Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var names = WantedTopics.Names(topics);
        cancellationToken.ThrowIfCancellationRequested();
        var found = await LookAsync([.. names], cancellationToken).ConfigureAwait(false);
        var deleted = _broker is { } broker ? [.. found.Keys.Where(broker.DeleteTopic)]
            : await DeleteFoundAsync([.. found.Keys], cancellationToken).ConfigureAwait(false);
        deleted.ForEach(topic => TopicsLog.Deleted(_logger, topic));
        await SeeGoneAsync(deleted, cancellationToken).ConfigureAwait(false);
        return deleted;
    }

    public async Task<IReadOnlyDictionary<TopicPartitionId,
        long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default)
    {
        GroupName.Validate(group, nameof(group));
        TopicName.Validate(topic, nameof(topic));
        cancellationToken.ThrowIfCancellationRequested();

        // By partition, because the embedded broker answers nothing to "all of the group's".
        var partitions = (await LookAsync([topic], cancellationToken).ConfigureAwait(false)).GetValueOrDefault(topic);
        var asked = new ConsumerGroupTopicPartitions(group, [.. Enumerable.Range(0, partitions).Select(partition => new TopicPartition(topic, partition))]);
        var committed = new Dictionary<TopicPartitionId, long>();
        if (partitions == 0)
        {
            return committed;
        }

        var timeout = _options.ConnectTimeout;
        List<TopicPartitionOffsetError> found;
        try
        {
            var result = await _admin.CallAsync(
                client => client.ListConsumerGroupOffsetsAsync([asked], new ListConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
            found = result[0].Partitions;
        }
        catch (ListConsumerGroupOffsetsException some) when (!some.Results[0].Error.IsError)
        {
            found = some.Results[0].Partitions;   // some partitions failed: each says so itself
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"The offsets of group {group} in topic {topic} could not be looked at", topic, failure, timeout);
        }

        foreach (var offset in found)
        {
            if (offset.Error.IsError)
            {
                throw new KafkaTopicException(
                    $"The offset of group {group} in {topic}[{offset.Partition.Value}] could not be looked at: {offset.Error.Reason} ({offset.Error.Code}).",
                    topic);
            }

            if (offset.Offset.Value >= 0)
            {
                committed[new TopicPartitionId(topic, offset.Partition.Value)] = offset.Offset.Value;
            }
        }

        return committed;
    }

    /// <summary>Whether they are those of the embedded broker of this process.</summary>
    public bool IsEmbedded => _broker is not null;

    private int PartitionsOf(TopicSpec spec) => spec.Partitions ?? _options.TopicPartitions;

    /// <summary>What can be seen of each topic; one that does not exist is left out.</summary>
    /// <exception cref="KafkaTopicException">As for <see cref="GetPartitionCountsAsync"/>, but for topics that the user may not look at.</exception>
    public async Task<IReadOnlyDictionary<string, TopicSight>> SeeAsync(IEnumerable<string> topics, CancellationToken cancellationToken)
    {
        var refused = new List<string>();
        var found = await FindAsync([.. topics], cancellationToken, refused).ConfigureAwait(false);
        var seen = found.ToDictionary(topic => topic.Name, topic => new TopicSight(topic.Id, topic.Partitions), StringComparer.Ordinal);
        refused.ForEach(topic => seen[topic] = TopicSight.Refused);
        return seen;
    }

    private async Task<Dictionary<string, int>> LookAsync(List<string> names, CancellationToken cancellationToken) =>
        (await FindAsync(names, cancellationToken).ConfigureAwait(false)).ToDictionary(topic => topic.Name, topic => topic.Partitions, StringComparer.Ordinal);

    /// <summary>
    /// Whether this user may read each topic with this group; a topic of which the cluster does not say so is left out. Changes nothing: it commits an offset
    /// of a partition that cannot exist, which the broker refuses, and for another reason where the right is missing. (<c>DescribeTopics</c> says so too, but
    /// aborts the process where the answer names neither brokers nor topics.)
    /// </summary>
    public async Task<IReadOnlyDictionary<string,
        bool>> GetReadRightsAsync(string group, IReadOnlyCollection<string> topics, CancellationToken cancellationToken)
    {
        // Event Hubs has no such rights, and does not say what it does with a partition that does not exist.
        if (_broker is not null || topics.Count == 0 || _options.IsEventHubs)
        {
            return ReadOnlyDictionary<string, bool>.Empty;
        }

        var timeout = _options.ConnectTimeout;
        var asked = new ConsumerGroupTopicPartitionOffsets(group, [.. topics.Select(static topic => new TopicPartitionOffset(topic, NoPartition, 0))]);
        try
        {
            await _admin.CallAsync(
                client => client.AlterConsumerGroupOffsetsAsync([asked], new AlterConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
            return ReadOnlyDictionary<string, bool>.Empty;
        }
        catch (AlterConsumerGroupOffsetsException refused)
        {
            return refused.Results.SelectMany(static result => result.Partitions ?? [])
                .Where(static partition => partition.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.TopicAuthorizationFailed)
                .ToDictionary(static partition => partition.Topic, static partition =>
                    partition.Error.Code is ErrorCode.UnknownTopicOrPart, StringComparer.Ordinal);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            return ReadOnlyDictionary<string, bool>.Empty;   // readers learn of it when they have joined
        }
    }

    private async Task<List<DescribedTopic>> FindAsync(List<string> names, CancellationToken cancellationToken, List<string>? refused = null)
    {
        var found = new List<DescribedTopic>(names.Count);
        if (names.Count == 0)
        {
            return found;
        }

        var timeout = _options.ConnectTimeout;
        ClusterMetadata answer;
        try
        {
            answer = await _admin.MetadataAsync(names, timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"Topic {Named(names)} could not be looked at", names[0], failure, timeout);
        }

        if (!answer.KnowsIds && Interlocked.Exchange(ref _saidNoIds, 1) == 0)
        {
            TopicsLog.NoTopicIds(_logger, Library.VersionString);
        }

        foreach (var topic in answer.Topics)
        {
            switch (topic.Error)
            {
                case ErrorCode.NoError:
                    found.Add(topic);
                    break;
                case ErrorCode.UnknownTopicOrPart or ErrorCode.LeaderNotAvailable:   // the latter: just being created
                    break;
                case ErrorCode.TopicAuthorizationFailed when refused is not null:
                    refused.Add(topic.Name);
                    break;
                case ErrorCode.TopicAuthorizationFailed:
                    throw new KafkaTopicException(
                        $"Topic {topic.Name} could not be looked at: {MissingRight.ToLookAt(topic.Name)}. The broker says: {new Error(topic.Error).Reason}.",
                        topic.Name);
                default:
                    throw new KafkaTopicException($"Topic {topic.Name} could not be looked at: {new Error(topic.Error).Reason} ({topic.Error}).", topic.Name);
            }
        }

        return found;
    }

    // Another instance may create one at the same time.
    private async Task<List<string>> CreateAsync(List<TopicSpec> missing, CancellationToken cancellationToken)
    {
        var requested = missing.Select(spec => new TopicSpecification
        {
            Name = spec.Name,
            NumPartitions = PartitionsOf(spec),
            ReplicationFactor = spec.ReplicationFactor ?? _options.TopicReplicationFactor,
            Configs = spec.Settings?.ToDictionary(StringComparer.Ordinal),
        }).ToList();
        List<CreateTopicReport> reports = [];
        try
        {
            await _admin.CallAsync(
                async client =>
                {
                    await client.CreateTopicsAsync(requested, new CreateTopicsOptions { RequestTimeout = CreateTimeout, OperationTimeout = CreateTimeout })
                        .ConfigureAwait(false);
                    return true;
                },
                CreateTimeout,
                cancellationToken).ConfigureAwait(false);
        }
        catch (CreateTopicsException some)
        {
            reports = some.Results;
        }
        catch (KafkaException failure) when (failure.Error.Code is ErrorCode.Local_UnsupportedFeature)
        {
            throw new NotSupportedException(
                $"Topic {Named(missing.ConvertAll(spec => spec.Name))}: this broker creates no topics by request. Is it another process's embedded broker? "
                    + $"Then create them there.", failure);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"Topic {Named(missing.ConvertAll(spec => spec.Name))} could not be created", missing[0].Name, failure, CreateTimeout);
        }

        var failed = reports.Find(report => report.Error.IsError && report.Error.Code != ErrorCode.TopicAlreadyExists);
        if (failed is not null)
        {
            var hint = failed.Error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed
                ? " Grant Create on it or on the cluster, or let an administrator create it." : "";
            throw new KafkaTopicException($"Topic {failed.Topic} could not be created: {failed.Error.Reason} ({failed.Error.Code}).{hint}", failed.Topic);
        }

        return [.. missing.Select(spec => spec.Name)
            .Where(name => reports.Find(report => string.Equals(report.Topic, name, StringComparison.Ordinal))?.Error.IsError is not true)];
    }

    private async Task<List<string>> DeleteFoundAsync(List<string> found, CancellationToken cancellationToken)
    {
        if (found.Count == 0)
        {
            return found;
        }

        List<DeleteTopicReport> reports = [];
        try
        {
            await _admin.CallAsync(
                async client =>
                {
                    await client.DeleteTopicsAsync(found, new DeleteTopicsOptions { RequestTimeout = CreateTimeout, OperationTimeout = CreateTimeout })
                        .ConfigureAwait(false);
                    return true;
                },
                CreateTimeout,
                cancellationToken).ConfigureAwait(false);
        }
        catch (DeleteTopicsException some)
        {
            reports = some.Results;
        }
        catch (KafkaException failure) when (failure.Error.Code is ErrorCode.Local_UnsupportedFeature)
        {
            throw new NotSupportedException(
                $"Topic {Named(found)}: this broker deletes no topics by request. Is it another process's embedded broker? Then delete them there.", failure);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"Topic {Named(found)} could not be deleted", found[0], failure, CreateTimeout);
        }

        if (reports.Find(report => report.Error.IsError && report.Error.Code is not ErrorCode.UnknownTopicOrPart) is { } failed)
        {
            var hint = failed.Error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.TopicDeletionDisabled
                ? " Grant Delete on it, or let an administrator delete it." : "";
            throw new KafkaTopicException($"Topic {failed.Topic} could not be deleted: {failed.Error.Reason} ({failed.Error.Code}).{hint}", failed.Topic);
        }

        return found.FindAll(topic => reports.Find(report => string.Equals(report.Topic, topic, StringComparison.Ordinal))?.Error.IsError is not true);
    }

    // As with creation: the controller knows first.
    private async Task SeeGoneAsync(List<string> deleted, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        while ((await LookAsync(deleted, cancellationToken).ConfigureAwait(false)).Keys.FirstOrDefault() is { } seen)
        {
            if (_time.GetElapsedTime(started) > CreateTimeout)
            {
                throw new KafkaTopicException(
                    $"Topic {seen} was deleted, but the brokers still showed it after {Duration.Text(CreateTimeout)}. Was it created again?", seen);
            }

            await Task.Delay(SeenInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    // A created topic is known to the controller first and to each broker a little later: who sends at once would be told that it is missing.
    private async Task SeeAsync(List<TopicSpec> created, CancellationToken cancellationToken)
    {
        var names = created.ConvertAll(spec => spec.Name);
        var started = _time.GetTimestamp();
        while (true)
        {
            var found = await LookAsync(names, cancellationToken).ConfigureAwait(false);
            if (created.Find(spec => !found.ContainsKey(spec.Name)) is not { } unseen)
            {
                created.ForEach(spec => WantedTopics.CheckPartitions(spec, found[spec.Name]));
                return;
            }

            if (_time.GetElapsedTime(started) > CreateTimeout)
            {
                throw new KafkaTopicException(
                    $"Topic {unseen.Name} was created, but the brokers did not show it within {Duration.Text(CreateTimeout)}.", unseen.Name);
            }

            await Task.Delay(SeenInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private Exception ExceptionFor(string what, string topic, Exception failure, string unsupported, string right) => failure switch
    {
        KafkaException { Error.Code: ErrorCode.Local_UnsupportedFeature } =>
            new NotSupportedException($"{what}: this broker {unsupported}. Is it another process's embedded broker?", failure),
        KafkaException { Error.Code: ErrorCode.UnknownTopicOrPart } => new KafkaTopicException($"{what}: it does not exist.", topic, failure),
        KafkaException { Error.Code: ErrorCode.TopicAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed } =>
            new KafkaTopicException($"{what}: this user may not. Grant {right} on the topic.", topic, failure),
        _ => Failed(what, topic, failure, _options.ConnectTimeout),
    };

    private KafkaTopicException Failed(string what, string topic, Exception failure, TimeSpan timeout) =>
        new($"{what}: {_admin.ReasonOf(failure, timeout)}.", topic, failure);

    private static string Named(List<string> names) => names.Count <= 3
        ? string.Join(", ", names)
        : string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", names.Take(3))} and {names.Count - 3} more");
}
