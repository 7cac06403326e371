using System.Runtime.InteropServices;

namespace Narad.Kafka.KeyOrder;

/// <summary>What a record says of its writer.</summary>
/// <param name="Writer">The assignment that wrote it: another one for each time that a member gets the partition.</param>
/// <param name="Committed">What the group was known to have committed in the source partition; null where nothing is known.</param>
/// <param name="Seal">What it is signed with.</param>
/// <param name="Finished">Which records of the key were finished before; null where no offset but the committed one has to say so.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WriterStamp(string Writer, long? Committed, RetrySeal Seal, FinishedRecords? Finished = null);
