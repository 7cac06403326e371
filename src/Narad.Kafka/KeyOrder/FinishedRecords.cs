using System.Runtime.InteropServices;

namespace Narad.Kafka.KeyOrder;

/// <summary>A record that says which records of its key are finished, where their offsets cannot be committed yet.</summary>
/// <param name="UpTo">Records up to this offset of the retry topic …</param>
/// <param name="Next">… whose original offset is below this one are finished.</param>
/// <param name="DeadLetterOthers">The others of the key that are before this record are to be dead-lettered.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FinishedRecords(long UpTo, long Next, bool DeadLetterOthers);
