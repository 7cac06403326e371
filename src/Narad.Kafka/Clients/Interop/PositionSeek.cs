using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// Seeks with the leader epoch, so that the client asks the broker whether the log was truncated below the offset (KIP-320). Confluent.Kafka's <c>Seek</c>
/// takes an epoch and leaves it out. Thread-safe.
/// </summary>
internal static unsafe class PositionSeek
{
    private static readonly Lazy<string?> Missing = new(static () => LibrdkafkaClient.Missing(Librdkafka.SeekFunctions));

    /// <summary>Continues at a position; without its epoch where it has none, or where librdkafka cannot be reached.</summary>
    /// <exception cref="KafkaException">The client refused: the partition is not its own, or is not fetched yet.</exception>
    public static void SeekTo(this IConsumer<byte[]?, byte[]?> client, TopicPartitionOffset position)
    {
        if (position.LeaderEpoch is not { } epoch || client.Handle is not { } known || Missing.Value is not null
            || LibrdkafkaClient.Of(known) is not { IsClosed: false, IsInvalid: false } handle)
        {
            client.Seek(position);
            return;
        }

        var list = Librdkafka.rd_kafka_topic_partition_list_new(1);
        try
        {
            var entry = Librdkafka.rd_kafka_topic_partition_list_add(list, position.Topic, position.Partition.Value);
            entry->Offset = position.Offset.Value;
            Librdkafka.rd_kafka_topic_partition_set_leader_epoch(entry, epoch);
            var error = Librdkafka.rd_kafka_seek_partitions(handle, list, -1);
            var code = error == 0 ? entry->Error : Librdkafka.rd_kafka_error_code(error);
            if (error != 0)
            {
                Librdkafka.rd_kafka_error_destroy(error);
            }

            if (code is not ErrorCode.NoError)
            {
                throw new KafkaException(LibrdkafkaClient.ErrorOf(handle, code, new Error(code).Reason));
            }
        }
        finally
        {
            Librdkafka.rd_kafka_topic_partition_list_destroy(list);
        }
    }
}
