using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using ClientToClient;
using ClientToClient.ClientA;
using ClientToClient.ClientB;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka;
using IMessageStore = ClientToClient.IMessageStore;
using InMemoryMessageStore = ClientToClient.InMemoryMessageStore;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Both services in this process, with one store, as two processes have it with one database, and one clock.</summary>
internal sealed class TwoServices : IFailureObserver, IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly HttpClient _http = new();
    private readonly ConcurrentQueue<DateTimeOffset> _dues = new();
    private WebApplication? _clientA;
    private IHost? _clientB;

    public InMemoryMessageStore Store { get; } = new();

    public AheadClock Clock { get; } = new();

    public LogLines LogA { get; } = new();

    public LogLines LogB { get; } = new();

    /// <summary>When what was retried is due, in the order in which it was.</summary>
    public IReadOnlyCollection<DateTimeOffset> Dues => _dues;

    public IKafkaService Kafka => _clientA!.Services.GetRequiredService<IKafkaService>();

    public async Task StartClientAAsync(SampleBroker broker, IMessageStore? store = null)
    {
        var builder = WebApplication.CreateBuilder(["--urls=http://127.0.0.1:0"]);
        builder.AddClientA();
        Replace(builder, LogA, store ?? Store);
        builder.Services.Configure<KafkaOptions>(kafka =>
        {
            broker.Apply(kafka);
            kafka.TopicNames["client-messages"] = broker.Topic;
            kafka.SendTimeout = TimeSpan.FromSeconds(2);
            kafka.ShutdownTimeout = TimeSpan.FromSeconds(5);
        });
        _clientA = builder.Build();
        _clientA.MapClientA();
        await _clientA.StartAsync();
        _http.BaseAddress = new Uri(_clientA.Urls.Single());
    }

    public async Task StartClientBAsync(SampleBroker broker, Action<ClientBOptions>? configure = null, Random? random = null)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.AddClientB();
        Replace(builder, LogB, Store);
        builder.Services.Configure<ClientBOptions>(options => configure?.Invoke(options));
        builder.Services.Replace(ServiceDescriptor.Singleton(random ?? Random.Shared));
        builder.Services.Configure<KafkaOptions>(kafka =>
        {
            kafka.Mode = KafkaMode.Kafka;
            kafka.Brokers = broker.Brokers;
            kafka.TopicNames["client-messages"] = broker.Topic;
            kafka.ConsumerGroupId = broker.Group == "client-b-group" ? kafka.ConsumerGroupId : broker.Group;
            kafka.CommitInterval = TimeSpan.FromMilliseconds(50);
            kafka.FailureObservers.Add(this);
        });
        _clientB = builder.Build();
        await _clientB.StartAsync();
    }

    /// <summary>What curl does.</summary>
    public Task<HttpResponseMessage> PostAsync(string body, string type = "application/json") =>
        _http.PostAsync(new Uri("/send-message", UriKind.Relative), new StringContent(body, Encoding.UTF8, type));

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"Not within {Deadline}: {what}");
            }

            await Task.Delay(10);
        }
    }

    /// <summary>Waits until a group has finished the first messages of a topic.</summary>
    public async Task CommittedAsync(string group, string topic, long offset)
    {
        var committed = -1L;
        var started = Stopwatch.GetTimestamp();
        while (committed < offset)
        {
            (Stopwatch.GetElapsedTime(started) < Deadline).Should().BeTrue("{0} commits {1} of {2}, and has committed {3}", group, offset, topic, committed);
            committed = (await Kafka.Topics.GetCommittedOffsetsAsync(group, topic)).GetValueOrDefault(new TopicPartitionId(topic, 0), -1);
        }

        committed.Should().Be(offset);
    }

    public void OnRetryScheduled(FailedMessage message, SendResult retryRecord, DateTimeOffset due) => _dues.Enqueue(due);

    public void OnDeadLettered(FailedMessage message, SendResult deadLetter)
    {
        // The log says it.
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in (IHost?[])[_clientB, _clientA])
        {
            if (host is not null)
            {
                await host.StopAsync();
                host.Dispose();
            }
        }

        _http.Dispose();
    }

    private void Replace(IHostApplicationBuilder builder, LogLines log, IMessageStore store)
    {
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Services.Replace(ServiceDescriptor.Singleton(store));
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
    }
}
