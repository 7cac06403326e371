using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>What a broker says of one topic's <c>max.message.bytes</c>.</summary>
/// <param name="Bytes">The limit; null where the broker does not tell.</param>
/// <param name="Reason">Why it does not.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct LimitAnswer(int? Bytes, ErrorCode Reason);
