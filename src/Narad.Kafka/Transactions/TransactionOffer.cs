using System.Runtime.InteropServices;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Transactions;

/// <summary>What a transaction commits of one partition: the offset behind its first messages, and how many these are.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TransactionOffer(AssignedPartition Partition, long Offset, int Messages);
