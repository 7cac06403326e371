using System.Net;
using System.Net.Sockets;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Samples.Tests.SharedParts;
using Notifications;
using Notifications.Access;

namespace Narad.Samples.Tests.Notifications;

/// <summary>
/// Server instances as processes that are killed and started again at the same address, with MongoDB behind a proxy, on a broker that outlives them.
/// Not thread-safe.
/// </summary>
internal sealed class ServerProcesses : IAsyncDisposable
{
    private const string Key = "a key of the tests, which is not a secret";

    private readonly string _name = $"narad-test-notifications-{Guid.CreateVersion7():n}";
    private readonly EmbeddedBroker? _broker;
    private readonly string _brokers;
    private readonly Dictionary<string, string> _topics;
    private readonly MongoClient _mongo;
    private readonly RoleProcess[] _processes;
    private KafkaService? _producer;

    public ServerProcesses(string database, bool onKafka, int instances)
    {
        var uri = Environment.GetEnvironmentVariable(database);
        Skip.If(string.IsNullOrEmpty(uri), $"{database} names no MongoDB server.");
        var prefix = onKafka ? $"{_name}-" : "";
        _topics = new[] { "notifications", "notifications-dlt", "notification-events" }.ToDictionary(topic => topic, topic => prefix + topic);
        if (onKafka)
        {
            _brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA") ?? "";
            Skip.If(_brokers.Length == 0, "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
        }
        else
        {
            _broker = EmbeddedBroker.Start();
            _brokers = _broker.BootstrapServers;
            foreach (var topic in _topics.Values)
            {
                _broker.CreateTopic(topic);   // the broker is another process's: nobody creates topics by request
            }
        }

        _mongo = new MongoClient(uri);
        var server = MongoUrl.Create(uri).Server;
        Database = new TcpProxy(server.Host, server.Port);
        Urls = [.. Enumerable.Range(0, instances).Select(static _ => new Uri($"http://127.0.0.1:{FreePort()}"))];
        _processes = [.. Urls.Select(url => new RoleProcess(
            SampleOutput.Of("Notifications", "Notifications.dll"), "consumer", [
                "--Kafka:Mode=Kafka", $"--Kafka:Brokers={_brokers}", "--Kafka:SessionTimeout=00:00:06", $"--Kafka:ConsumerGroupId={_name}",
                .. _topics.Select(static topic => $"--Kafka:TopicNames:{topic.Key}={topic.Value}"),
                $"--MONGODB_URI=mongodb://127.0.0.1:{Database.Port}/{_name}?directConnection=true",
                $"--Notifications:TokenKey={Key}", $"--urls:consumer={url.GetLeftPart(UriPartial.Authority)}",
            ]))];
    }

    public TcpProxy Database { get; }

    public IReadOnlyList<Uri> Urls { get; }

    public static string Token(string userId) => AccessToken.Create(Key, userId, isSender: true, TimeSpan.FromHours(1), TimeProvider.System);

    public Task StartAsync(int instance) => _processes[instance].StartAsync();

    public Task KillAsync(int instance) => _processes[instance].KillAsync();

    public async Task SendAsync(string userId, IEnumerable<string> ids)
    {
        if (_producer is null)
        {
            _producer = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = _brokers });
            await _producer.ConnectProducerAsync();
        }

        await _producer.SendManyAsync(
            _topics["notifications"], ids.Select(id => NotificationsHost.Create(userId, id)), static notification => notification.UserId);
    }

    /// <summary>What is stored of a user, as id and state.</summary>
    public async Task<IReadOnlyList<(string Id, NotificationState State)>> StoredAsync(string userId) =>
        (await _mongo.GetDatabase(_name).GetCollection<BsonDocument>("notifications").Find(new BsonDocument("userId", userId))
            .Sort(new BsonDocument("position", 1)).ToListAsync())
        .ConvertAll(static document => (document["id"].AsString, (NotificationState)document["state"].ToInt32()));

    public async ValueTask DisposeAsync()
    {
        Array.ForEach(_processes, static process => process.Dispose());
        if (_producer is not null)
        {
            await _producer.DisposeAsync();
        }

        await Database.DisposeAsync();
        await _mongo.DropDatabaseAsync(_name);
        _mongo.Dispose();
        _broker?.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
