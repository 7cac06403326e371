using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Confluent.Kafka;
using MessageStore;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>API and consumer as processes of their own, which are killed, as are the broker and the database, while a client posts all the time.</summary>
public sealed class KilledProcessesTests
{
    [SkippableTheory]
    [InlineData("NARAD_TEST_MONGODB", true)]
    [InlineData("NARAD_TEST_MONGODB_REPLICA_SET", false)]
    public async Task What_was_answered_with_2xx_is_in_both_places_in_the_end_and_once(string database, bool onKafka)
    {
        await using var run = new Run(database, onKafka);
        await run.StartAsync();
        await run.PostedAsync(10);

        await run.Api.KillAsync();
        run.Url = await run.Api.StartAsync();
        await run.PostedAsync(10);

        await run.Consumer.KillAsync();
        await run.ProduceFromElsewhereAsync("while no consumer runs");
        await run.PostedAsync(10);
        await run.Consumer.StartAsync();

        run.Database.Cut();
        await run.RefusedAsync();
        await run.ProduceFromElsewhereAsync("while the database is down");
        run.Database.Restore();
        await run.PostedAsync(10);

        run.StopBroker();
        await run.PostedAsync(10);
        await run.Api.KillAsync();
        run.StartBroker();
        run.Url = await run.Api.StartAsync();
        await run.PostedAsync(10);

        await run.FinishAsync();
    }

    private sealed class Run : IAsyncDisposable
    {
        private readonly string _name = $"narad-test-store-{Guid.CreateVersion7():n}";
        private readonly EmbeddedBroker? _broker;
        private readonly string _brokers;
        private readonly string _topic = "messages";
        private readonly IMongoCollection<BsonDocument> _collection;
        private readonly ConcurrentQueue<Message> _answered = new();
        private readonly List<string> _elsewhere = [];
        private readonly CancellationTokenSource _stop = new();
        private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };
        private Task _client = Task.CompletedTask;
        private int _refused;

        public Run(string variable, bool onKafka)
        {
            var uri = Environment.GetEnvironmentVariable(variable);
            Skip.If(string.IsNullOrEmpty(uri), $"{variable} names no MongoDB server.");
            var server = MongoUrl.Create(uri).Server;
            Database = new TcpProxy(server.Host, server.Port);
            _collection = new MongoClient(uri).GetDatabase(_name).GetCollection<BsonDocument>("messages");
            if (onKafka)
            {
                _brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA") ?? "";
                Skip.If(_brokers.Length == 0, "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
                _topic = $"{_name}-messages";
            }
            else
            {
                _broker = EmbeddedBroker.Start();
                _brokers = _broker.BootstrapServers;
                _broker.CreateTopic("messages");       // the broker is another process's: nobody creates topics by request
                _broker.CreateTopic("messages-dlt");
            }

            var program = SampleOutput.Of("MessageStore", "MessageStore.dll");
            string[] settings =
            [
                "--Kafka:Mode=Kafka", $"--Kafka:Brokers={_brokers}", "--Kafka:SendTimeout=00:00:03", "--Kafka:SessionTimeout=00:00:06",
                $"--Kafka:TopicNames:messages={_topic}", $"--Kafka:ConsumerGroupId={_name}",
                $"--MONGODB_URI=mongodb://127.0.0.1:{Database.Port}/{_name}?directConnection=true",
            ];
            Api = new RoleProcess(program, "api", settings);
            Consumer = new RoleProcess(program, "consumer", settings);
        }

        public TcpProxy Database { get; }

        public RoleProcess Api { get; }

        public RoleProcess Consumer { get; }

        /// <summary>Where the API listens now.</summary>
        public Uri? Url { get; set; }

        public async Task StartAsync()
        {
            Url = await Api.StartAsync();
            await Consumer.StartAsync();
            _client = Task.Run(PostAllTheTimeAsync);
        }

        /// <summary>Waits until so many more were answered with 201.</summary>
        public Task PostedAsync(int count)
        {
            var before = _answered.Count;
            return MessageStoreHosts.UntilAsync(() => Task.FromResult(_answered.Count >= before + count), $"{count} messages are answered with 201");
        }

        /// <summary>Waits until one more was not.</summary>
        public Task RefusedAsync()
        {
            var before = Volatile.Read(ref _refused);
            return MessageStoreHosts.UntilAsync(() => Task.FromResult(Volatile.Read(ref _refused) > before), "a message is refused");
        }

        /// <summary>What another producer sends reaches the storage by the consumer alone; twice, because it may be redelivered.</summary>
        public async Task ProduceFromElsewhereAsync(string text)
        {
            await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = _brokers });
            await kafka.ConnectProducerAsync();
            var message = new Message { Id = Guid.CreateVersion7().ToString(), Text = text, CreatedAt = DateTimeOffset.UtcNow };
            await kafka.SendManyAsync(_topic, [message, message], static one => one.Id);
            _elsewhere.Add(message.Id);
        }

        // The real cluster belongs to other tests too.
        public void StopBroker() => _broker?.StopBroker();

        public void StartBroker() => _broker?.StartBroker();

        public async Task FinishAsync()
        {
            await _stop.CancelAsync();
            await _client;
            var answered = _answered.Select(static message => message.Id).ToList();
            var expected = answered.Concat(_elsewhere).ToList();
            await MessageStoreHosts.UntilAsync(
                async () =>
                {
                    var produced = await _collection.Find(new BsonDocument("produced", true)).ToListAsync();
                    return expected.Except(produced.Select(static document => document["_id"].AsString), StringComparer.Ordinal).ToList() is [];
                },
                "all is stored and marked as produced");

            // A message whose answer was lost may be there too. Whatever is there is there once: each text was posted once.
            var stored = await _collection.Find(new BsonDocument()).ToListAsync();
            stored.Select(static document => document["text"].AsString).Should().OnlyHaveUniqueItems();
            answered.Except(InTopic(), StringComparer.Ordinal).Should().BeEmpty("Kafka has all that was answered with 2xx");
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _client;
            Api.Dispose();
            Consumer.Dispose();
            await Database.DisposeAsync();
            await _collection.Database.Client.DropDatabaseAsync(_name);
            _http.Dispose();
            _stop.Dispose();
            _broker?.Dispose();
        }

        private async Task PostAllTheTimeAsync()
        {
            for (var number = 1; !_stop.IsCancellationRequested; number++)
            {
                try
                {
                    using var response = await _http.PostAsJsonAsync(
                        new Uri(Url!, "/messages"), new { text = number.ToString(CultureInfo.InvariantCulture) });
                    if (response.StatusCode is HttpStatusCode.Created)
                    {
                        _answered.Enqueue((await response.Content.ReadFromJsonAsync<Message>())!);
                    }
                    else
                    {
                        Interlocked.Increment(ref _refused);
                    }
                }
                catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
                {
                    Interlocked.Increment(ref _refused);
                }

                await Task.Delay(20);   // the client's pace
            }
        }

        private HashSet<string> InTopic()
        {
            using var reader = new ConsumerBuilder<Ignore, string>(
                    new ConsumerConfig { BootstrapServers = _brokers, GroupId = $"{_name}-reads-only", EnableAutoCommit = false, EnablePartitionEof = true })
                .SetLogHandler(static (_, _) => { }).Build();
            var partitions = 6;
            reader.Assign(Enumerable.Range(0, partitions).Select(partition => new TopicPartitionOffset(_topic, partition, Offset.Beginning)));
            var found = new HashSet<string>(StringComparer.Ordinal);
            while (partitions > 0)
            {
                var result = reader.Consume(TimeSpan.FromSeconds(30)) ?? throw new TimeoutException($"{_topic} could not be read.");
                if (result.IsPartitionEOF)
                {
                    partitions--;
                }
                else
                {
                    found.Add(System.Text.Json.JsonDocument.Parse(result.Message.Value).RootElement.GetProperty("id").GetString()!);
                }
            }

            return found;
        }
    }
}
