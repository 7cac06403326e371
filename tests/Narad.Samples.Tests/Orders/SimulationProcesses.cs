using System.Diagnostics;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Samples.Tests.SharedParts;
using Orders;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>
/// Each role a process that is killed, on the Kafka cluster that <c>NARAD_TEST_KAFKA</c> names, with topics of its own, and on the replica set that
/// <c>NARAD_TEST_MONGODB_REPLICA_SET</c> names, behind a proxy. Not thread-safe.
/// </summary>
internal sealed class OrdersProcesses : OrdersCluster
{
    private readonly string _name = $"narad-test-orders-{Guid.CreateVersion7():n}";
    private readonly MongoClient _mongo;
    private readonly TcpProxy _database;
    private readonly Dictionary<string, RoleProcess> _processes;

    public OrdersProcesses(params string[] settings)
    {
        Brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA") ?? "";
        Skip.If(Brokers.Length == 0, "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
        var uri = Environment.GetEnvironmentVariable("NARAD_TEST_MONGODB_REPLICA_SET");
        Skip.If(string.IsNullOrEmpty(uri), "NARAD_TEST_MONGODB_REPLICA_SET names no MongoDB replica set.");
        _mongo = new MongoClient(uri);
        var server = MongoUrl.Create(uri).Server;
        _database = new TcpProxy(server.Host, server.Port);
        _processes = Roles.ToDictionary(
            static role => role,
            role => new RoleProcess(SampleOutput.Of("Orders", "Orders.dll"), role, [.. Settings(_database.Port), .. settings]),
            StringComparer.Ordinal);
        ClientSettings = [.. Settings(server.Port), .. settings, "--Kafka:Outbox:RelayEnabled=false"];
    }

    public override string Brokers { get; }

    private string[] ClientSettings { get; }

    public override string RealTopic(string topic) => $"{_name}-{topic}";

    public override async Task RestartAsync(string role)
    {
        await _processes[role].KillAsync();
        await StartAsync(role);
    }

    public override async Task RestartBrokerAsync()
    {
        var command = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER");
        Skip.If(string.IsNullOrEmpty(command), "NARAD_TEST_KAFKA_BROKER names no command that kills and starts a broker.");
        foreach (var action in (string[])["kill", "start"])
        {
            using var process = Process.Start(new ProcessStartInfo(command!, [action, "1"]) { UseShellExecute = false })!;
            await process.WaitForExitAsync();
            process.ExitCode.Should().Be(0, "the broker can be {0}ed", action);
        }
    }

    public override async Task RestartDatabaseAsync()
    {
        _database.Cut();
        await Task.Delay(TimeSpan.FromSeconds(3));   // an outage takes time
        _database.Restore();
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
        {
            process.Dispose();
        }

        await base.DisposeAsync();
        await _database.DisposeAsync();
        await _mongo.DropDatabaseAsync(_name);
        _mongo.Dispose();
    }

    protected override Task StartAsync(string role) => _processes[role].StartAsync();

    protected override Task<RunningSample> StartClientAsync() => Sample.StartAsync(
        ["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=Warning", .. ClientSettings], ClientRole(new OrdersMemory()));

    private IEnumerable<string> Settings(int port) =>
    [
        "--Kafka:Mode=Kafka", $"--Kafka:Brokers={Brokers}", "--Kafka:SessionTimeout=00:00:06", "--Kafka:TopicReplicationFactor=1",
        .. Topics.Handled.SelectMany(static topic => new[] { topic, $"{topic}-retry", $"{topic}-dlt" }).Append(Topics.Behaviour)
            .Select(topic => $"--Kafka:TopicNames:{topic}={RealTopic(topic)}"),
        $"--MONGODB_URI=mongodb://127.0.0.1:{port}/{_name}?directConnection=true",
    ];
}
