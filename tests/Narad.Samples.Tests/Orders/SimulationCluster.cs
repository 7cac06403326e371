using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Orders;
using Orders.Events;
using Orders.ReadModel;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>
/// The roles of the sample, which can be stopped and started again, and a client beside them that sees their storage. The client relays nothing. Not
/// thread-safe, except for <see cref="Client"/>.
/// </summary>
internal abstract class OrdersCluster : IAsyncDisposable
{
    public static readonly IReadOnlyList<string> Roles = ["orders", "saga", "payment", "stock", "shipping"];

    private RunningSample? _client;

    /// <summary>The services of the client.</summary>
    public IServiceProvider Client => _client!["client"].Services;

    public abstract string Brokers { get; }

    public virtual string RealTopic(string topic) => topic;

    public async Task StartAsync()
    {
        _client = await StartClientAsync();
        await Task.WhenAll(Roles.Select(StartAsync));
    }

    /// <summary>Ends a role as roughly as can be, and starts it again.</summary>
    public abstract Task RestartAsync(string role);

    /// <summary>The broker is away for a while.</summary>
    public abstract Task RestartBrokerAsync();

    /// <summary>The database is away for a while, where there is one.</summary>
    public abstract Task RestartDatabaseAsync();

    /// <summary>The events in the topic, in the order of each partition.</summary>
    public IReadOnlyList<OrderEvent> ReadTopic() => TopicReader.Read(Brokers, RealTopic(Topics.Events));

    public virtual async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }
    }

    protected abstract Task StartAsync(string role);

    protected abstract Task<RunningSample> StartClientAsync();

    /// <summary>The client: a host with the storage of a role, and nothing else.</summary>
    protected static SampleRole ClientRole(OrdersMemory memory) => new("client", 0, builder =>
    {
        builder.AddOrdersKafka("client", memory);
        builder.Services.AddOrderReadModel(builder.Configuration, memory);
        return builder.Build();
    });
}

/// <summary>All roles in this process, on an embedded broker and in memory. Stopping a role is orderly: a kill would take the memory with it.</summary>
internal sealed class InMemoryOrders(params string[] settings) : OrdersCluster
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();
    private readonly OrdersMemory _memory = new();
    private readonly ConcurrentDictionary<string, RunningSample> _running = new(StringComparer.Ordinal);

    public override string Brokers => _broker.BootstrapServers;

    public override async Task RestartAsync(string role)
    {
        await _running[role].DisposeAsync();
        await StartAsync(role);
    }

    public override async Task RestartBrokerAsync()
    {
        _broker.StopBroker();
        await Task.Delay(TimeSpan.FromSeconds(2));   // an outage takes time
        _broker.StartBroker();
    }

    public override Task RestartDatabaseAsync() => Task.CompletedTask;

    public override async ValueTask DisposeAsync()
    {
        foreach (var role in _running.Values)
        {
            await role.DisposeAsync();
        }

        await base.DisposeAsync();
        _broker.Dispose();
    }

    protected override async Task StartAsync(string role) => _running[role] = await StartAsync(OrdersRoles.All(_memory).Single(one => one.Name == role));

    protected override Task<RunningSample> StartClientAsync() => StartAsync(ClientRole(_memory), "--Kafka:Outbox:RelayEnabled=false");

    // The broker is one for all: it outlives the roles.
    private Task<RunningSample> StartAsync(SampleRole role, params string[] more) => Sample.StartAsync(
        ["--urls=http://127.0.0.1:0", "--Kafka:Mode=Kafka", $"--Kafka:Brokers={Brokers}", "--Logging:LogLevel:Default=Warning", .. settings, .. more],
        role with
        {
            Build = builder =>
            {
                builder.Services.PostConfigure<KafkaOptions>(kafka =>
                {
                    kafka.Mode = KafkaMode.Embedded;
                    kafka.EmbeddedBroker = _broker;
                });
                return role.Build(builder);
            },
        });
}
