using System.Collections.Concurrent;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>
/// A client whose commands fail at the server, each kind so many times: a kind after the other, and each until it has failed that often. Failpoints of other
/// tests wait meanwhile. Thread-safe.
/// </summary>
internal sealed class FailingCommands : IAsyncDisposable
{
    private readonly Failpoint _failpoint;
    private readonly Func<CommandStartedEvent, string?> _kindOf;
    private readonly int _code;
    private readonly string _name = $"narad-{Guid.CreateVersion7():n}";
    private readonly ConcurrentDictionary<string, int> _left;
    private readonly ConcurrentDictionary<string, byte> _unknown = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, string> _requests = new();   // those that meet the failpoint
    private readonly Lock _setting = new();
    private string? _failing;   // interlocked: the kind whose turn it is

    private FailingCommands(
        TestDatabase database, Failpoint failpoint, int code, IReadOnlyDictionary<string, int> times, Func<CommandStartedEvent, string?> kindOf)
    {
        (_failpoint, _code, _kindOf, _left) = (failpoint, code, kindOf, new(times, StringComparer.Ordinal));
        Client = TestDatabase.Client(database.Uri, settings =>
        {
            settings.ApplicationName = _name;
            settings.ClusterConfigurator = cluster => cluster
                .Subscribe<CommandStartedEvent>(Started)
                .Subscribe<CommandFailedEvent>(Failed)
                .Subscribe<CommandSucceededEvent>(succeeded => _requests.TryRemove(succeeded.RequestId, out _));
        });
    }

    public MongoClient Client { get; }

    /// <summary>The kinds that have to fail yet.</summary>
    public IEnumerable<string> Left => _left.Where(static one => one.Value > 0).Select(static one => one.Key);

    /// <summary>Names of commands of no kind.</summary>
    public ICollection<string> Unknown => _unknown.Keys;

    /// <param name="database">On whose server they fail.</param>
    /// <param name="code">The server's error; 0: it closes the connection.</param>
    /// <param name="times">How often each kind fails.</param>
    /// <param name="kindOf">The kind of a command; null: unknown.</param>
    public static async Task<FailingCommands> CreateAsync(
        TestDatabase database, int code, IReadOnlyDictionary<string, int> times, Func<CommandStartedEvent, string?> kindOf) =>
        new(database, await Failpoint.TakeTurnAsync(database.Database.Client), code, times, kindOf);

    public ValueTask DisposeAsync() => _failpoint.DisposeAsync();

    // Another command of that name may meet the failpoint first: then this one succeeds, and the next one of its kind is tried.
    private void Started(CommandStartedEvent started)
    {
        if (_kindOf(started) is not { } kind)
        {
            _unknown.TryAdd(started.CommandName, 0);
            return;
        }

        if (_left.GetValueOrDefault(kind) > 0 && (Interlocked.CompareExchange(ref _failing, kind, null) ?? kind) == kind && _setting.TryEnter())
        {
            try
            {
                _requests.TryAdd(started.RequestId, kind);
                _failpoint.SetNext(_name, started.CommandName, _code);
            }
            finally
            {
                _setting.Exit();
            }
        }
    }

    private void Failed(CommandFailedEvent failed)
    {
        if (_requests.TryRemove(failed.RequestId, out var kind) && _left.AddOrUpdate(kind, 0, static (_, left) => left - 1) <= 0)
        {
            Interlocked.CompareExchange(ref _failing, null, kind);
        }
    }
}
