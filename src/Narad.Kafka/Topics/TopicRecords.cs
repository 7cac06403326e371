using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Topics;

/// <summary>
/// What topics hold, by offset: where partitions begin and end, deleting below an offset, and noting how far a group came that has no members. Reads no
/// message. Thread-safe.
/// </summary>
internal sealed class TopicRecords(AdminConnection admin, TimeSpan timeout, EmbeddedBroker? broker)
{
    /// <summary>What each partition holds now, up to its first transaction that is still open.</summary>
    /// <exception cref="KafkaTopicException">No broker answered in time, or looking was refused.</exception>
    public async Task<IReadOnlyList<PartitionSpan>> SpansAsync(string topic, int partitions, CancellationToken cancellationToken)
    {
        var starts = OffsetsAsync(topic, partitions, OffsetSpec.Earliest(), cancellationToken);
        var ends = OffsetsAsync(topic, partitions, OffsetSpec.Latest(), cancellationToken);
        await Task.WhenAll(starts, ends).ConfigureAwait(false);
        var (first, end) = (await starts.ConfigureAwait(false), await ends.ConfigureAwait(false));
        return [.. Enumerable.Range(0, partitions)
            .Select(partition => new PartitionSpan(partition, first[partition], Math.Max(first[partition], end[partition])))];
    }

    /// <summary>Notes how far a group came, as a commit; it must have no members.</summary>
    /// <exception cref="KafkaTopicException">No broker answered in time, or it was refused.</exception>
    public async Task CommitAsync(string group, string topic, IReadOnlyDictionary<int, long> offsets, CancellationToken cancellationToken)
    {
        var wanted = new ConsumerGroupTopicPartitionOffsets(group, [.. offsets.Select(offset => new TopicPartitionOffset(topic, offset.Key, offset.Value))]);
        try
        {
            await admin.CallAsync(
                client => client.AlterConsumerGroupOffsetsAsync([wanted], new AlterConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
        }
        catch (AlterConsumerGroupOffsetsException refused)
        {
            var error = refused.Results.Select(result => result.Error)
                .Concat(refused.Results.SelectMany(result => result.Partitions ?? []).Select(partition => partition.Error))
                .FirstOrDefault(error => error.IsError);
            throw new KafkaTopicException(
                $"How far group {group} came in topic {topic} could not be noted: {error?.Reason} ({error?.Code}). The group must have no members, and this "
                    + $"user the right to read with it.", topic, refused);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"How far group {group} came in topic {topic} could not be noted", topic, failure);
        }
    }

    /// <summary>Deletes what stands before an offset, in each of these partitions.</summary>
    /// <exception cref="KafkaTopicException">No broker answered in time, or it was refused.</exception>
    /// <exception cref="NotSupportedException">It is another process's embedded broker.</exception>
    public async Task DeleteBeforeAsync(string topic, IReadOnlyDictionary<int, long> offsets, CancellationToken cancellationToken)
    {
        if (broker is not null)
        {
            foreach (var (partition, offset) in offsets)
            {
                broker.DeleteRecords(topic, partition, offset);
            }

            return;
        }

        try
        {
            await admin.CallAsync(
                client => client.DeleteRecordsAsync(
                    offsets.Select(offset => new TopicPartitionOffset(topic, offset.Key, offset.Value)),
                        new DeleteRecordsOptions { RequestTimeout = timeout, OperationTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
        }
        catch (DeleteRecordsException refused) when (refused.Results.Exists(result => result.Error.Code is ErrorCode.Local_UnsupportedFeature))
        {
            throw new NotSupportedException($"Topic {topic}: this broker deletes no messages by request. Is it another process's embedded broker?", refused);
        }
        catch (DeleteRecordsException refused)
        {
            var failed = refused.Results.Find(result => result.Error.IsError)!;
            var hint = failed.Error.Code is ErrorCode.TopicAuthorizationFailed ? " Grant Delete on it." : failed.Error.Code is ErrorCode.PolicyViolation
                ? " Its cleanup.policy must contain delete." : "";
            throw new KafkaTopicException(
                string.Create(CultureInfo.InvariantCulture,
                    $"What {topic}[{failed.Partition.Value}] holds could not be deleted: {failed.Error.Reason} ({failed.Error.Code}).{hint}"), topic, refused);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"What topic {topic} holds could not be deleted", topic, failure);
        }
    }

    private async Task<Dictionary<int, long>> OffsetsAsync(string topic, int partitions, OffsetSpec which, CancellationToken cancellationToken)
    {
        var asked = Enumerable.Range(0, partitions)
            .Select(partition => new TopicPartitionOffsetSpec { TopicPartition = new TopicPartition(topic, partition), OffsetSpec = which }).ToList();
        try
        {
            var found = await admin.CallAsync(
                client => client.ListOffsetsAsync(asked, new ListOffsetsOptions { RequestTimeout = timeout, IsolationLevel = IsolationLevel.ReadCommitted }),
                timeout,
                cancellationToken).ConfigureAwait(false);
            return found.ResultInfos.ToDictionary(info => info.TopicPartitionOffsetError.Partition.Value, info => info.TopicPartitionOffsetError.Offset.Value);
        }
        catch (ListOffsetsException refused)
        {
            var failed = refused.Result.ResultInfos.Find(info => info.TopicPartitionOffsetError.Error.IsError)!.TopicPartitionOffsetError;
            throw new KafkaTopicException(
                string.Create(CultureInfo.InvariantCulture,
                    $"Where {topic}[{failed.Partition.Value}] begins and ends could not be found out: {failed.Error.Reason} ({failed.Error.Code})."), topic,
                    refused);
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            throw Failed($"Where topic {topic} begins and ends could not be found out", topic, failure);
        }
    }

    private KafkaTopicException Failed(string what, string topic, Exception failure) => new($"{what}: {admin.ReasonOf(failure, timeout)}.", topic, failure);
}
