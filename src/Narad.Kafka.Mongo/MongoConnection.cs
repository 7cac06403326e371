using Microsoft.Extensions.Logging;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>The database that inbox and store use: made at the first use, described once, every call bounded. Thread-safe.</summary>
internal sealed class MongoConnection(Func<IMongoDatabase> create, MongoOptions options, ILogger<MongoConnection> logger)
{
    private readonly Lazy<IMongoDatabase> _database = new(create);
    private readonly SemaphoreSlim _describing = new(1, 1);
    private volatile Description? _description;

    public MongoOptions Options => options;

    public IMongoDatabase Database => _database.Value;

    /// <summary>Null before a server answered.</summary>
    public Description? Known => _description;

    public ILogger Logger => logger;

    /// <summary>What kind of server it is; logged once.</summary>
    public async Task<Description> DescribeAsync(CancellationToken cancellationToken)
    {
        if (_description is { } known)
        {
            return known;
        }

        var hello = await RunAsync("be reached", token => Database.RunCommandAsync<BsonDocument>(new BsonDocument("hello", 1), ReadPreference.Nearest,
            token), cancellationToken).ConfigureAwait(false);
        await _describing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_description is { } meanwhile)
            {
                return meanwhile;
            }

            var topology = TopologyOf(hello);
            MongoLog.Connected(logger, Database.DatabaseNamespace.DatabaseName, topology);
            return _description = new Description(topology);
        }
        finally
        {
            _describing.Release();
        }
    }

    /// <summary>What the answer to <c>hello</c> says: a router of a sharded cluster names no set of its own.</summary>
    internal static MongoTopology TopologyOf(BsonDocument hello) => hello.Contains("setName") ? MongoTopology.ReplicaSet
        : hello.GetValue("msg", "") == "isdbgrid" ? MongoTopology.Sharded : MongoTopology.Standalone;

    /// <summary>A collection whose writes count when the majority of the members has them.</summary>
    public IMongoCollection<TDocument> Collection<TDocument>(string name) =>
        Database.GetCollection<TDocument>(name, new MongoCollectionSettings { WriteConcern = WriteConcern.WMajority, ReadPreference = ReadPreference.Primary });

    /// <summary>Runs a call with a time limit.</summary>
    /// <param name="action">What it does, after "MongoDB could not".</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="StoreUnavailableException">The server cannot be worked with.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<T> RunAsync<T>(string action, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.OperationTimeout);
        try
        {
            return await call(limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (limit.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new StoreUnavailableException(
                $"MongoDB could not {action} at {string.Join(", ", Database.Client.Settings.Servers)} within {options.OperationTimeout:c} (OperationTimeout). "
                    + $"Check that it runs and can be reached from here. After the start this is tried again by itself.",
                error);
        }
        catch (Exception error) when (error is not StoreUnavailableException && !MongoErrors.IsTransient(error)
            && MongoErrors.OutageOf(error, action) is not null)
        {
            throw MongoErrors.OutageOf(error, action)!;
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(string action, Func<CancellationToken, Task> call, CancellationToken cancellationToken) => RunAsync(
        action,
        async token =>
        {
            await call(token).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>As <see cref="RunAsync{T}"/>, for callers that try everything again: each failure of the server is an outage.</summary>
    /// <exception cref="StoreUnavailableException">The call failed.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<T> RunToAnswerAsync<T>(string action, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(action, call, cancellationToken).ConfigureAwait(false);
        }
        catch (MongoException error)
        {
            throw new StoreUnavailableException($"MongoDB could not {action}: {error.Message}", error);
        }
    }

    /// <summary>What is connected.</summary>
    internal sealed record Description(MongoTopology Topology)
    {
        public bool HasTransactions => Topology is not MongoTopology.Standalone;
    }
}
