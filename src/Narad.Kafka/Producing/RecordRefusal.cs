using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// The broker's answers that are about single records, although the whole batch is refused for them: nothing of the batch was written. Since KIP-467 the
/// broker lists the records that it refuses, and librdkafka reports the others of the batch as <see cref="ErrorCode.Local_InvalidDifferentRecord"/>;
/// without the list every message of the batch has the same code.
/// </summary>
internal static class RecordRefusal
{
    /// <summary>Whether a message with this answer may be to blame for the refusal of its batch.</summary>
    public static bool MayBlame(ErrorCode code) => code
        is ErrorCode.InvalidRecord
        or ErrorCode.InvalidTimestamp
        or ErrorCode.InvalidMsg
        or ErrorCode.InvalidMsgSize
        or ErrorCode.RecordListTooLarge
        or ErrorCode.UnsupportedForMessageFormat;
}
