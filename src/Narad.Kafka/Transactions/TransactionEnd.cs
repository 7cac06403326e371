using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Transactions;

/// <summary>How a transaction ended, and what the broker said where it is not as it was wanted.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TransactionEnd(TransactionEndKind Kind, Error? Error = null);
