using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Narad.Kafka.Clients.Interop;

/// <summary>Who this process runs as, and whose a file is, on Linux and macOS: .NET does not say. Thread-safe.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class UnixFiles
{
    // statx(2), whose structure is the same on every architecture.
    private const int CurrentFolder = -100;
    private const int DoNotFollow = 0x100;
    private const uint BasicFields = 0x7ff;
    private const int SizeOfAnswer = 256;
    private const int OffsetOfOwner = 20;

    /// <summary>The effective user's number.</summary>
    public static uint User => geteuid();

    /// <summary>
    /// The number of the user who owns a file or folder, of a link the link's own; null where that cannot be found out, and then this process is not root's.
    /// </summary>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public static uint? OwnerOf(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        Span<byte> answer = stackalloc byte[SizeOfAnswer];
        try
        {
            return statx(CurrentFolder, path, DoNotFollow, BasicFields, ref MemoryMarshal.GetReference(answer)) == 0
                ? MemoryMarshal.Read<uint>(answer[OffsetOfOwner..])
                : throw new IOException($"{path} cannot be looked at: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        catch (EntryPointNotFoundException) when (User != 0)
        {
            return null;   // a C library before statx
        }
    }

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, ref byte answer);
}
