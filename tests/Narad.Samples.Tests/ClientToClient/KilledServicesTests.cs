using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using Narad.Kafka.Shared;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>The services as processes that are killed and started again while a client posts: what was answered 201 is saved by both, once.</summary>
public sealed class KilledServicesTests : IDisposable
{
    private const string OnDemand = "NARAD_TEST_KILLS";

    // A member that was killed is replaced soon.
    private static readonly string[] Settings = ["--Kafka:SessionTimeout=00:00:06", "--Kafka:Mode=Kafka"];

    private readonly TestMongo _mongo = new();
    private readonly List<RoleProcess> _started = [];

    public void Dispose()
    {
        _started.ForEach(service => service.Dispose());
        _mongo.Dispose();
    }

    [SkippableFact]
    public async Task On_an_embedded_broker_client_B_may_be_killed()
    {
        var clientA = await StartAsync("client-a");   // its broker ends with it, so it is not killed
        var broker = await clientA.BrokerAsync();
        var clientB = await StartAsync("client-b", [.. Settings, $"--Kafka:Brokers={broker}"]);
        await using var client = new PostingClient(() => clientA.Url);

        await client.AnsweredAsync(20);
        await clientB.KillAsync();
        await client.AnsweredAsync(40);
        await clientB.StartAsync();

        await VerifyAsync(client);
    }

    [SkippableFact]
    public async Task On_real_Kafka_each_service_may_be_killed()
    {
        using var broker = new KafkaSampleBroker();
        string[] settings = [.. Settings, .. broker.Settings, $"--Kafka:Brokers={broker.Brokers}"];
        var clientA = await StartAsync("client-a", settings);
        var clientB = await StartAsync("client-b", settings);
        await using var client = new PostingClient(() => clientA.Url);

        await client.AnsweredAsync(20);
        await clientA.KillAsync();
        await clientA.StartAsync();
        await client.AnsweredAsync(40);
        await clientB.KillAsync();
        await client.AnsweredAsync(60);
        await clientB.StartAsync();

        await VerifyAsync(client);
    }

    [SkippableFact]
    [NotInParallel("Other tests of this project use the database too.")]
    [Trait("Category", "BreaksServers")]
    public async Task The_database_may_be_killed()
    {
        var control = Environment.GetEnvironmentVariable("NARAD_TEST_MONGODB_CONTROL");
        Skip.If(
            string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OnDemand)) || string.IsNullOrEmpty(control),
            $"{OnDemand} is not set, or NARAD_TEST_MONGODB_CONTROL names no command that kills and starts the database.");
        var clientA = await StartAsync("client-a");
        await StartAsync("client-b", [.. Settings, $"--Kafka:Brokers={await clientA.BrokerAsync()}"]);
        await using var client = new PostingClient(() => clientA.Url);

        await client.AnsweredAsync(40);
        await RunAsync(control!, "kill");
        await client.RefusedAsync();
        await RunAsync(control!, "start");
        await client.AnsweredAsync(80);

        await VerifyAsync(client);
    }

    [SkippableFact]
    [NotInParallel("Other tests of this project use the broker too.")]
    [Trait("Category", "BreaksServers")]
    public async Task The_broker_may_be_killed()
    {
        var control = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER");
        Skip.If(
            string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OnDemand)) || string.IsNullOrEmpty(control),
            $"{OnDemand} is not set, or NARAD_TEST_KAFKA_BROKER names no command: tests of other projects use the broker too.");
        using var broker = new KafkaSampleBroker();
        string[] settings = [.. Settings, .. broker.Settings, $"--Kafka:Brokers={broker.Brokers}"];
        var clientA = await StartAsync("client-a", settings);
        await StartAsync("client-b", settings);
        await using var client = new PostingClient(() => clientA.Url);

        await client.AnsweredAsync(40);
        await RunAsync(control!, "kill", "1");
        await client.RefusedAsync();
        await RunAsync(control!, "start", "1");
        await client.AnsweredAsync(80);

        await VerifyAsync(client);
    }

    private async Task VerifyAsync(PostingClient client)
    {
        var answered = await client.StopAsync();
        answered.Should().NotBeEmpty();

        // Client B may have to wait for a member that was killed, and a message that failed for its retry.
        var started = Stopwatch.GetTimestamp();
        List<string> missing;
        do
        {
            await Task.Delay(500);
            var byB = _mongo.Read().Where(entry => entry.SavedBy == "clientB").Select(entry => entry.MessageId).ToHashSet(StringComparer.Ordinal);
            missing = [.. answered.Where(id => !byB.Contains(id))];
        }
        while (missing.Count > 0 && Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(2));

        missing.Should().BeEmpty("what was answered 201 is saved by client B");
        var saved = _mongo.Read();
        answered.Except(saved.Where(entry => entry.SavedBy == "clientA").Select(entry => entry.MessageId)).Should().BeEmpty("client A saved it");
        saved.GroupBy(entry => (entry.SavedBy, entry.Content.Message)).Where(entries => entries.Count() > 1).Should().BeEmpty("nothing is saved twice");
    }

    private async Task<RoleProcess> StartAsync(string role, params string[] settings)
    {
        var service = new RoleProcess(
            SampleOutput.Of("ClientToClient", "ClientToClient.dll"), role, [$"--MONGODB_URI={_mongo.Uri}", .. settings]);
        _started.Add(service);
        await service.StartAsync();
        return service;
    }

    private static async Task RunAsync(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { UseShellExecute = false })!;
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        process.ExitCode.Should().Be(0, "{0} {1} works", command, string.Join(' ', arguments));
    }

    /// <summary>Posts one message after the other, each until it is answered 201. Thread-safe.</summary>
    private sealed class PostingClient : IAsyncDisposable
    {
        private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
        private readonly CancellationTokenSource _stop = new();
        private readonly ConcurrentQueue<string> _answered = new();
        private readonly Func<Uri> _url;
        private readonly Task _posting;
        private int _refused;

        public PostingClient(Func<Uri> url)
        {
            _url = url;
            _posting = Task.Run(PostAsync);
        }

        public Task AnsweredAsync(int count) => TwoServices.UntilAsync(() => _answered.Count >= count, $"{count} messages are answered 201");

        /// <summary>Waits until one more message is refused.</summary>
        public Task RefusedAsync()
        {
            var before = Volatile.Read(ref _refused);
            return TwoServices.UntilAsync(() => Volatile.Read(ref _refused) > before, "a message is refused");
        }

        public async Task<IReadOnlyCollection<string>> StopAsync()
        {
            await _stop.CancelAsync();
            await _posting;
            return _answered;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _http.Dispose();
            _stop.Dispose();
        }

        private async Task PostAsync()
        {
            for (var number = 1; !_stop.IsCancellationRequested; number++)
            {
                var id = $"message-{number}";
                while (!await IsAnsweredAsync(id) && !_stop.IsCancellationRequested)
                {
                    Interlocked.Increment(ref _refused);
                    await Task.Delay(50);
                }

                await Task.Delay(30);
            }
        }

        private async Task<bool> IsAnsweredAsync(string id)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_url(), "/send-message"))
                {
                    Content = new StringContent($$"""{"from":"clientA","to":"clientB","message":"{{id}}"}""", Encoding.UTF8, "application/json"),
                };
                request.Headers.Add("Idempotency-Key", id);
                using var answer = await _http.SendAsync(request);
                if (answer.StatusCode is not HttpStatusCode.Created)
                {
                    return false;
                }

                _answered.Enqueue(id);
                return true;
            }
            catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
            {
                return false;   // killed, or not there yet
            }
        }
    }
}
