using System.Text;

namespace Narad.Kafka.Producing;

/// <summary>How large messages are in a batch, at most.</summary>
internal static class SendSize
{
    /// <summary>A batch's own bytes (61 in message format 2), with a margin.</summary>
    public const int BatchOverhead = 100;

    // Length, attributes, timestamp and offset deltas, key and value length, header count: librdkafka reckons with 36.
    private const int RecordOverhead = 36;
    private const int HeaderOverhead = 10;

    public static int Of(byte[]? key, byte[]? value, MessageHeader[]? headers)
    {
        var size = RecordOverhead + (key?.Length ?? 0) + (value?.Length ?? 0);
        if (headers is not null)
        {
            foreach (var header in headers)
            {
                size += HeaderOverhead + Encoding.UTF8.GetByteCount(header.Name) + (header.Value?.Length ?? 0);
            }
        }

        return size;
    }
}
