using System.Runtime.InteropServices;

namespace Narad.Kafka.Parking;

/// <summary>Up to where the messages of a key were seen to.</summary>
/// <param name="Key">The key.</param>
/// <param name="Origin">The last of them, by its offset in the source topic.</param>
/// <param name="Timestamp">Its timestamp there, in milliseconds since 1970.</param>
/// <param name="Stamp">What the record about that says of its writer.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SeenKey(byte[] Key, long Origin, long Timestamp, ParkingStamp Stamp);
