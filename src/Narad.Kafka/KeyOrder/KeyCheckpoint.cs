using System.Runtime.InteropServices;

namespace Narad.Kafka.KeyOrder;

/// <summary>What is written of a key when its partition is revoked.</summary>
/// <param name="Key">The key.</param>
/// <param name="Origin">Up to where its messages were seen to, by the last one's offset in the source topic.</param>
/// <param name="Timestamp">Its timestamp there, in milliseconds since 1970.</param>
/// <param name="Stamp">Who says so, what is committed in the source partition (null where <paramref name="Origin"/> says nothing), and which records are
/// finished.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct KeyCheckpoint(byte[] Key, long Origin, long Timestamp, WriterStamp Stamp);
