using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Transactions;

/// <summary>
/// The <c>transactional.id</c> of one group in one process: the same after a restart, so that what a crash left open is ended at once, and another one for each process that runs beside it.
/// Where nobody named the instance it takes the lowest number that is free on this machine, and holds it by a locked file, which the system lets go when the process ends, however it ends.
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

    public static TransactionalId Take(ExactlyOnceSettings settings, string group, ILogger logger)
    {
        if (settings.Instance is { } instance)
        {
            return new TransactionalId($"{settings.Prefix}-{group}-{instance}", held: null);
        }

        var machine = $"{settings.Prefix}-{group}-{Environment.MachineName}";
        try
        {
            var folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "narad-kafka")).FullName;
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(machine)))[..24];
            for (var number = 0; number < MostInstances; number++)
            {
                if (TryHold(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{hash}.{number}"))) is { } held)
                {
                    return new TransactionalId(string.Create(CultureInfo.InvariantCulture, $"{machine}-{number}"), held);
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            TransactionsLog.InstanceNotNumbered(logger, error, machine, group);
        }

        return new TransactionalId(machine, held: null);
    }

    public void Dispose() => _lock?.Dispose();

    // Null: another process has it, or its file belongs to another user.
    private static FileStream? TryHold(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
