using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Transactions;

/// <summary>
/// The <c>transactional.id</c> of one group in one process: the same after a restart, so that what a crash left open is ended at once, and another one for
/// each process that runs beside it. Where nobody named the instance it takes the lowest number that is free on this machine, and holds it by a locked
/// file, which the system lets go when the process ends, however it ends.
/// </summary>
internal sealed class TransactionalId : IDisposable
{
    private const int MostInstances = 1_000;

    private readonly FileStream? _lock;

    private TransactionalId(string name, FileStream? held)
    {
        Name = name;
        _lock = held;
    }

    public string Name { get; }

    /// <summary>Takes the name that was given, or the lowest number that is free on this machine.</summary>
    /// <param name="settings">The prefix, and the instance's name where there is one.</param>
    /// <param name="group">The group.</param>
    /// <param name="logger">Told where no number can be held: two instances then have one name, and fence each other.</param>
    /// <param name="folder">Where the folder of the locks is; default: the temporary folder.</param>
    public static TransactionalId Take(ExactlyOnceSettings settings, string group, ILogger logger, string? folder = null)
    {
        if (settings.Instance is { } instance)
        {
            return new TransactionalId($"{settings.Prefix}-{group}-{instance}", held: null);
        }

        // Each user has locks of their own, so the name says whose: two users' instances would otherwise both be number 0.
        var machine = $"{settings.Prefix}-{group}-{Environment.MachineName}-{InstanceFolder.User}";
        try
        {
            var locks = InstanceFolder.Ensure(folder ?? Path.GetTempPath());
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(machine)))[..24];
            Exception? last = null;
            for (var number = 0; number < MostInstances; number++)
            {
                if (TryHold(Path.Combine(locks, string.Create(CultureInfo.InvariantCulture, $"{hash}.{number}")), ref last) is { } held)
                {
                    return new TransactionalId(string.Create(CultureInfo.InvariantCulture, $"{machine}-{number}"), held);
                }
            }

            TransactionsLog.InstanceNotNumbered(logger, last!, machine, group);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException
            or EntryPointNotFoundException)
        {
            TransactionsLog.InstanceNotNumbered(logger, error, machine, group);
        }

        return new TransactionalId(machine, held: null);
    }

    public void Dispose() => _lock?.Dispose();

    // Null: another process has it, or it cannot be had.
    private static FileStream? TryHold(string path, ref Exception? last)
    {
        try
        {
            // Only this user, or root, can have put one there; followed, it would create or lock a file elsewhere.
            if (new FileInfo(path).LinkTarget is not null)
            {
                last = new IOException($"{path} is a link: remove it");
                return null;
            }

            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            last = error;
            return null;
        }
    }
}
