using System.Globalization;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Transactions;

/// <summary>
/// The folder of this machine that holds the locks of one user's instances. It belongs to that user, and nobody else may write into it: so nobody else can
/// plant a link there, or hold the locks. Thread-safe.
/// </summary>
internal static class InstanceFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Who this process runs as, in words that a file name and a transactional id may contain.</summary>
    public static string User => OperatingSystem.IsWindows() ? Environment.UserName : UnixFiles.User.ToString(CultureInfo.InvariantCulture);

    /// <summary>Makes sure of the folder.</summary>
    /// <param name="parent">Where; the temporary folder.</param>
    /// <returns>Its path.</returns>
    /// <exception cref="IOException">It is a link or another user's, and so not to be trusted; or it cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be created.</exception>
    public static string Ensure(string parent)
    {
        var path = Path.Combine(parent, $"narad-kafka-{User}");
        if (OperatingSystem.IsWindows())
        {
            return Directory.CreateDirectory(path).FullName;   // each user's temporary folder is that user's own
        }

        Directory.CreateDirectory(path, OwnerOnly);
        if (new DirectoryInfo(path).LinkTarget is not null)
        {
            throw new IOException($"{path} is a link, which another user may have planted: remove it");
        }

        if (UnixFiles.OwnerOf(path) is { } owner && owner != UnixFiles.User)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{path} belongs to user {owner} and this process runs as user "
                + $"{UnixFiles.User}: remove the folder"));
        }

        // It may have been created with more. For anybody but its owner this fails, which is the check where the owner cannot be asked for.
        File.SetUnixFileMode(path, OwnerOnly);
        return path;
    }
}
