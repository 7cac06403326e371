using System.Globalization;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Topics;

/// <summary>
/// Sees to the topics that were declared, once a service: creates those that are missing, compares the others. One that failed is tried again by the next
/// caller. Thread-safe.
/// </summary>
/// <param name="options">Of the service, valid by the first call.</param>
/// <param name="topics">Those of the transport, connected by the first call.</param>
/// <param name="isConnected">Whether a broker answers.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Of the service.</param>
/// <param name="ending">The service ends.</param>
internal sealed class TopicPreparation(
    KafkaOptions options, Func<IKafkaTopics> topics, Func<bool> isConnected, TimeProvider time, ILogger logger, CancellationToken ending)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private Task? _running;

    /// <summary>What runs now, if anything does.</summary>
    public Task Running => _running ?? Task.CompletedTask;

    /// <summary>Completes when they are there; while the service may start without a broker and none answers, at once.</summary>
    /// <exception cref="KafkaTopicException">One could not be created or looked at; or one is not as declared, and that is refused.</exception>
    /// <exception cref="NotSupportedException">The broker creates no topics by request: it is another process's embedded one.</exception>
    public Task ForConnectingAsync(CancellationToken cancellationToken)
    {
        var done = CompleteAsync();
        return options.StartWithoutBroker && !isConnected() && !done.IsFaulted ? Task.CompletedTask : done.WaitAsync(cancellationToken);
    }

    /// <summary>Completes when they are there, however long no broker answers where the service may start without one.</summary>
    /// <inheritdoc cref="ForConnectingAsync" path="/exception"/>
    public Task CompleteAsync()
    {
        lock (_lock)
        {
            if (_running is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _running = Task.Run(PrepareAsync, CancellationToken.None).Observe();
            }

            return _running;
        }
    }

    private async Task PrepareAsync()
    {
        var declared = new DeclaredTopics(options);
        if (declared.IsEmpty)
        {
            return;
        }

        for (var waits = false; ; waits = true)
        {
            try
            {
                await EnsureAsync(topics(), declared, ending).ConfigureAwait(false);
                return;
            }
            catch (KafkaTopicException error) when (error.IsPassing && options.StartWithoutBroker)
            {
                if (!waits)
                {
                    TopicsLog.NotDeclaredYet(logger, error);
                }

                await Task.Delay(Pause, time, ending).ConfigureAwait(false);
            }
            catch (Exception error) when (waits && !ending.IsCancellationRequested)
            {
                TopicsLog.NotDeclared(logger, error);   // nobody may be waiting any more
                throw;
            }
        }
    }

    // Creates what is missing, and compares the rest.
    private async Task EnsureAsync(IKafkaTopics topics, DeclaredTopics declared, CancellationToken cancellationToken)
    {
        if (topics is not KafkaTopics cluster)
        {
            await topics.CreateIfNotExistsAsync(declared.All, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (cluster.IsEmbedded)
        {
            foreach (var spec in declared.All.Where(static spec => spec.Settings is not null))
            {
                TopicsLog.SettingsNotKept(logger, spec.Name, string.Join(", ", spec.Settings!.Keys.Order(StringComparer.Ordinal)));
            }
        }

        // Without numbers, so that one that exists is compared rather than refused.
        var created = await cluster.CreateMissingAsync([.. declared.All.Select(static spec => new TopicSpec(spec.Name))], cancellationToken)
            .ConfigureAwait(false);
        var compared = await Task.WhenAll(declared.All.Where(spec => !created.Contains(spec.Name, StringComparer.Ordinal))
            .Select(spec => CompareAsync(spec, cluster, cancellationToken))).ConfigureAwait(false);
        var different = compared.Where(static one => one.Differences.Count > 0).ToList();
        if (different.Count == 0)
        {
            return;
        }

        if (options.OnTopicMismatch is TopicMismatchPolicy.Fail)
        {
            throw new KafkaTopicException(
                string.Join(" ", different.Select(static one => $"Topic '{one.Topic}' is not as declared: {string.Join("; ", one.Differences)}."))
                + " Change the topic or its declaration, or set OnTopicMismatch to Warn.",
                different[0].Topic);
        }

        different.ForEach(one => TopicsLog.NotAsDeclared(logger, one.Topic, string.Join("; ", one.Differences)));
    }

    private async Task<(string Topic, List<string> Differences)> CompareAsync(
        TopicSpec declared, KafkaTopics cluster, CancellationToken cancellationToken)
    {
        TopicDetails? found;
        try
        {
            found = await cluster.GetDetailsAsync(declared.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (options.OnTopicMismatch is TopicMismatchPolicy.Warn && error is KafkaTopicException or NotSupportedException)
        {
            // The right to look at settings is one of its own.
            TopicsLog.NotCompared(logger, error, declared.Name);
            return (declared.Name, []);
        }

        return (declared.Name, found is null ? [] : [.. Differences(declared, found, cluster.IsEmbedded)]);
    }

    private static IEnumerable<string> Differences(TopicSpec declared, TopicDetails found, bool embedded)
    {
        if (declared.Partitions is { } partitions && partitions != found.Partitions)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"it has {found.Partitions} partition(s), declared {partitions}");
        }

        if (embedded)
        {
            yield break;
        }

        if (declared.ReplicationFactor is > 0 and var replicas && replicas != found.ReplicationFactor)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"it has {found.ReplicationFactor} replica(s), declared {replicas}");
        }

        foreach (var (name, value) in (declared.Settings ?? TopicSettings.None).OrderBy(static setting => setting.Key, StringComparer.Ordinal))
        {
            if (found.SettingInForce(name) is var actual && !TopicSettings.AreSame(name, value, actual))
            {
                yield return $"{name} is {actual ?? "not set"}, declared {value}";
            }
        }
    }
}
