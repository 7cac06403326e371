using System.Globalization;
using Narad.Kafka;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.Chat;

/// <summary>Two instances as processes, and clients of both in one room. Not thread-safe.</summary>
internal sealed class ChatRun : IAsyncDisposable
{
    private const string Room = "room";

    private static readonly string Program = SampleOutput.Of("Chat", "Chat.dll");

    private readonly EmbeddedBroker? _broker;
    private readonly Uri[] _urls = new Uri[2];
    private readonly List<ChatClient> _clients = [];
    private readonly List<string> _sent = [];

    /// <param name="brokers">A cluster; null: an embedded broker. Without a database no consumer is needed: instances keep what is not stored.</param>
    /// <param name="settings">More settings of all processes, such as where the database is.</param>
    public ChatRun(string? brokers = null, params string[] settings)
    {
        var id = $"narad-test-chat-{Guid.CreateVersion7():n}";
        if (brokers is null)
        {
            _broker = EmbeddedBroker.Start();
            foreach (var (topic, partitions) in ((string, int)[])
                [("chat-messages", 3), ("message-persistence", 3), ("chat-messages-dlt", 1), ("message-persistence-dlt", 1), ("chat-presence", 1)])
            {
                _broker.CreateTopic(topic, partitions);   // the broker is another process's: nobody creates topics by request
            }
        }

        string[] all =
        [
            "--Kafka:Mode=Kafka", $"--Kafka:Brokers={brokers ?? _broker!.BootstrapServers}", "--Kafka:SessionTimeout=00:00:06",
            $"--CHAT_SIGNING_KEY={ChatHosts.SigningKey}", "--instances=2", "--Chat:MessagesPerSecond=1000", "--Chat:SignInsPerMinute=10000",
            "--Chat:RequestsPerSecond=1000", "--Kafka:SendTimeout=00:00:05",
            "--Logging:LogLevel:Chat=Warning", "--Chat:Heartbeat=00:00:00.5", "--Chat:OfflineAfter=00:00:02", .. settings,
            .. brokers is null ? [] : (string[])
            [
                $"--KAFKA_TOPIC_CHAT_MESSAGES={id}-messages", $"--KAFKA_TOPIC_MESSAGE_PERSISTENCE={id}-persistence",
                $"--KAFKA_TOPIC_CHAT_PRESENCE={id}-presence", $"--KAFKA_CONSUMER_GROUP_ID={id}",
            ],
        ];
        Servers = [new RoleProcess(Program, "server", all), new RoleProcess(Program, "server-2", all)];
        Consumer = new RoleProcess(Program, "consumer", all);
    }

    public IReadOnlyList<RoleProcess> Servers { get; }

    public RoleProcess Consumer { get; }

    public IReadOnlyList<ChatClient> Clients => _clients;

    public EmbeddedBroker Broker => _broker!;

    public Uri UrlOf(int server) => _urls[server];

    public async Task StartAsync(int clients, bool withConsumer = false)
    {
        await StartServerAsync(0);   // alone: it creates the topics
        await Task.WhenAll(StartServerAsync(1), withConsumer ? Consumer.StartAsync() : Task.CompletedTask);
        for (var i = 0; i < clients; i++)
        {
            _clients.Add(new ChatClient([() => _urls[0], () => _urls[1]], first: i, $"user {i}", Room));
        }
    }

    public async Task StartServerAsync(int server) => _urls[server] = await Servers[server].StartAsync();

    /// <summary>All clients send, each one message after the other.</summary>
    public Task SendAsync(int messages)
    {
        _sent.AddRange(Enumerable.Range(0, messages).Select(static number => number.ToString(CultureInfo.InvariantCulture)));
        return Task.WhenAll(_clients.Select(async (client, i) =>
        {
            for (var number = i; number < messages; number += _clients.Count)
            {
                await client.SendAsync(_sent[number]);
            }
        }));
    }

    /// <summary>Waits until the first client shows so many.</summary>
    public Task ShownAsync(int count) => ChatUser.UntilAsync(() => _clients[0].Shown().Count >= count, $"{count} messages are shown");

    /// <summary>Every client shows what was sent, once, and in the same order.</summary>
    public async Task FinishAsync(int messages)
    {
        foreach (var client in _clients)
        {
            await ChatUser.UntilAsync(() => client.Shown().Count >= messages, "all messages are shown");
        }

        var first = _clients[0].Shown();
        first.Order(StringComparer.Ordinal).Should().Equal(_sent.Order(StringComparer.Ordinal), "nothing is lost, and nothing is there twice");
        foreach (var client in _clients)
        {
            client.Shown().Should().Equal(first);
        }

        // What somebody sees who comes now.
        await using var late = new ChatClient([() => _urls[0], () => _urls[1]], first: 0, "late", Room);
        await ChatUser.UntilAsync(() => late.Shown().Count >= messages, "a new client has all of it");
        late.Shown().Should().Equal(first);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_clients.Select(static client => client.DisposeAsync().AsTask()));
        foreach (var process in Servers.Append(Consumer))
        {
            process.Dispose();
        }

        _broker?.Dispose();
    }
}
