using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using ClientToClient;
using ClientToClient.ClientA;
using ClientToClient.ClientB;
using ClientToClient.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Narad.Kafka;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Both services in this process, with one database (or one memory) and one clock.</summary>
internal sealed class TwoServices : IFailureObserver, IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly HttpClient _http = new();
    private readonly ConcurrentQueue<DateTimeOffset> _dues = new();
    private readonly InMemoryMessageRepository _memory = new();
    private RunningSample? _clientA;
    private RunningSample? _clientB;

    /// <summary>Where both save; null: in memory.</summary>
    public TestMongo? Mongo { get; init; }

    public AheadClock Clock { get; } = new();

    public LogLines LogA { get; } = new();

    public LogLines LogB { get; } = new();

    /// <summary>When what was retried is due, in the order in which it was.</summary>
    public IReadOnlyCollection<DateTimeOffset> Dues => _dues;

    public IKafkaService Kafka => _clientA!["client-a"].Services.GetRequiredService<IKafkaService>();

    public Uri ClientA => _clientA!.UrlOf("client-a");

    public Uri ClientB => _clientB!.UrlOf("client-b");

    /// <summary>Everything that was saved.</summary>
    public IReadOnlyCollection<SavedMessage> Saved() => Mongo?.Read() ?? [.. _memory.Entries];

    public async Task StartClientAAsync(SampleBroker broker, IMessageRepository? repository = null)
    {
        _ = broker.Brokers;   // skips the test where there is none
        _clientA = await StartAsync("client-a", builder =>
        {
            builder.AddClientA(_memory);
            Replace(builder, LogA);
            if (repository is not null)
            {
                builder.Services.Replace(ServiceDescriptor.Singleton(repository));
            }

            builder.Services.PostConfigure<KafkaOptions>(kafka =>
            {
                broker.Apply(kafka);
                broker.NameTopics(kafka);
                kafka.SendTimeout = TimeSpan.FromSeconds(2);
                kafka.ShutdownTimeout = TimeSpan.FromSeconds(5);
            });
            var app = builder.Build();
            app.MapClientA();
            return app;
        });
        _http.BaseAddress = ClientA;
    }

    public async Task StartClientBAsync(SampleBroker broker, Action<ClientBOptions>? configure = null, Random? random = null) =>
        _clientB = await StartAsync("client-b", builder =>
        {
            builder.AddClientB(_memory);
            Replace(builder, LogB);
            builder.Services.Configure<ClientBOptions>(options => configure?.Invoke(options));
            builder.Services.Replace(ServiceDescriptor.Singleton(random ?? Random.Shared));
            builder.Services.PostConfigure<KafkaOptions>(kafka =>
            {
                kafka.Mode = KafkaMode.Kafka;
                kafka.Brokers = broker.Brokers;
                broker.NameTopics(kafka);
                kafka.ConsumerGroupId = broker.Group == "client-b-group" ? kafka.ConsumerGroupId : broker.Group;
                kafka.CommitInterval = TimeSpan.FromMilliseconds(50);
                kafka.FailureObservers.Add(this);
            });
            var app = builder.Build();
            app.MapClientB();
            return app;
        });

    /// <summary>What curl does.</summary>
    public Task<HttpResponseMessage> PostAsync(string body, string type = "application/json", string path = "/send-message", string? idempotencyKey = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new StringContent(body, Encoding.UTF8, type) };
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        return _http.SendAsync(request);
    }

    public Task<HttpResponseMessage> GetAsync(Uri url) => _http.GetAsync(url);

    public async Task ForceFailureAsync(bool on)
    {
        using var content = new StringContent(on ? "true" : "false", Encoding.UTF8, "application/json");
        (await _http.PutAsync(new Uri(ClientB, "/force-failure"), content)).EnsureSuccessStatusCode();
    }

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

    /// <summary>Lets the retries of one message pass, as time would.</summary>
    public async Task UntilDeadLetterAsync(int count = 1)
    {
        for (var retry = 1; retry <= 3; retry++)
        {
            await UntilAsync(() => LogB.Count($"Retry scheduled #{retry}: ") == count, $"retry {retry} is scheduled");
            Clock.Advance(TimeSpan.FromSeconds((1 << retry) + 1));
        }

        await UntilAsync(() => LogB.Count("Moved to DLQ") == count, "it is a dead letter");
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
        foreach (var host in (RunningSample?[])[_clientB, _clientA])
        {
            if (host is not null)
            {
                await host.DisposeAsync();
            }
        }

        _http.Dispose();
        Mongo?.Dispose();
    }

    private Task<RunningSample> StartAsync(string name, Func<WebApplicationBuilder, WebApplication> build) => Sample.StartAsync(
        ["--urls=http://127.0.0.1:0", "--Kafka:Mode=Kafka", .. Mongo is null ? (string[])[] : [$"--MONGODB_URI={Mongo.Uri}"]], new SampleRole(name, 0, build));

    private void Replace(WebApplicationBuilder builder, LogLines log)
    {
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
    }
}
