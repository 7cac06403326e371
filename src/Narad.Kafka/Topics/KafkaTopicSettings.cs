using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Topics;

/// <summary>The settings of topics, as brokers keep them; asked of none that has no such requests, since it would not answer. Thread-safe.</summary>
internal sealed class KafkaTopicSettings(AdminConnection admin, TimeSpan timeout)
{
    /// <summary>All settings that hold for a topic; null where it does not exist.</summary>
    /// <exception cref="KafkaException">Looking was refused, or no broker answered.</exception>
    /// <exception cref="TimeoutException">Not even the client answered.</exception>
    public async Task<IReadOnlyDictionary<string, ConfigEntryResult>?> ReadAsync(string topic, CancellationToken cancellationToken)
    {
        try
        {
            var found = await admin.CallAsync(
                client => client.DescribeConfigsAsync([Resource(topic)], new DescribeConfigsOptions { RequestTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
            return found[0].Entries;
        }
        catch (DescribeConfigsException failed)
        {
            return failed.Results[0].Error.Code is ErrorCode.UnknownTopicOrPart ? null : throw new KafkaException(failed.Results[0].Error, failed);
        }
    }

    /// <summary>Changes one setting of a topic and no other.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task SetAsync(string topic, string name, string value, CancellationToken cancellationToken)
    {
        var change = new ConfigEntry { Name = name, Value = value, IncrementalOperation = AlterConfigOpType.Set };
        try
        {
            await admin.CallAsync(
                client => client.IncrementalAlterConfigsAsync(
                    new Dictionary<ConfigResource, List<ConfigEntry>> { [Resource(topic)] = [change] },
                        new IncrementalAlterConfigsOptions { RequestTimeout = timeout }),
                timeout,
                cancellationToken).ConfigureAwait(false);
        }
        catch (IncrementalAlterConfigsException failed)
        {
            throw new KafkaException(failed.Results[0].Error, failed);
        }
    }

    private static ConfigResource Resource(string topic) => new() { Type = ResourceType.Topic, Name = topic };
}
