using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>A client's answer to one send. The status says something only where the code is not <see cref="ErrorCode.NoError"/>.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SendReport(PendingSend Send, int Partition, long Offset, ErrorCode Code, PersistenceStatus Status);
