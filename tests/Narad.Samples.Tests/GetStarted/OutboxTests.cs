using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.GetStarted;

/// <summary>samples/GetStarted/Outbox as a newcomer runs it, with a replica set and the command line of its page.</summary>
[Collection("samples/GetStarted/Outbox: they share its database")]
public sealed class OutboxTests : IAsyncLifetime
{
    private const string Server = "NARAD_TEST_MONGODB_REPLICA_SET";
    private const string Shop = "shop";   // the sample's database

    private readonly string? _uri = Environment.GetEnvironmentVariable(Server);
    private bool _wasThere = true;

    private IMongoCollection<BsonDocument> Outbox => new MongoClient(_uri).GetDatabase(Shop).GetCollection<BsonDocument>("kafka_outbox");

    public async Task InitializeAsync()
    {
        if (!string.IsNullOrEmpty(_uri))
        {
            _wasThere = (await (await new MongoClient(_uri).ListDatabaseNamesAsync()).ToListAsync()).Contains(Shop);
        }
    }

    public async Task DisposeAsync()
    {
        if (!_wasThere)
        {
            await new MongoClient(_uri).DropDatabaseAsync(Shop);
        }
    }

    [SkippableFact]
    public async Task An_order_that_is_posted_as_the_page_says_is_billed_once_and_its_id_is_not_taken_twice()
    {
        using var sample = Sample();
        await sample.StartAsync();
        var order = NewOrder();

        var messageId = MessageIdOf(await PostAsync(sample, order));
        await sample.LineAsync($"Billed {order}");
        await UntilDispatchedAsync(messageId);

        // The transaction fails at the insert, and takes the message with it.
        var stored = await Outbox.CountDocumentsAsync(new BsonDocument());
        (await PostAsync(sample, order)).Should().NotContain("messageId");
        (await Outbox.CountDocumentsAsync(new BsonDocument())).Should().Be(stored);

        using var http = new HttpClient();
        (await http.GetStringAsync(new Uri(sample.Url, "health"))).Should().Be("Healthy");
        (await http.GetStringAsync(new Uri(sample.Url, "outbox/set-aside"))).Should().Be("[]");
        sample.Lines.Count(line => line.Contains($"Billed {order}", StringComparison.Ordinal)).Should().Be(1);
    }

    [SkippableFact]
    public async Task An_order_whose_process_is_killed_after_the_commit_and_before_Kafka_has_its_message_is_billed_by_the_next_one()
    {
        // The relay of the first process waits for two minutes for more to send.
        using var killed = Sample("--Kafka:SendTimeout=00:10:00", "--Kafka:Linger=00:02:00", "--Kafka:Outbox:LeaseDuration=00:00:03");
        await killed.StartAsync();
        var order = NewOrder();
        var messageId = MessageIdOf(await PostAsync(killed, order));
        (await StateOfAsync(messageId)).Should().Be("pending");
        await killed.KillAsync();
        (await StateOfAsync(messageId)).Should().Be("pending");

        using var next = Sample();
        await next.StartAsync();
        await next.LineAsync($"Billed {order}");
        await UntilDispatchedAsync(messageId);
        next.Lines.Count(line => line.Contains($"Billed {order}", StringComparison.Ordinal)).Should().Be(1);
    }

    private static string NewOrder() => $"o-{Guid.NewGuid():N}";

    private RoleProcess Sample(params string[] settings)
    {
        Skip.If(string.IsNullOrEmpty(_uri), $"{Server} names no MongoDB server.");
        Skip.If(OperatingSystem.IsWindows(), "The page's command line is one of bash.");
        return new RoleProcess(
            SampleOutput.Of("GetStarted/Outbox", "GetStarted.Outbox.dll"), ["--urls", "http://127.0.0.1:0", $"--MONGODB_URI={_uri}", .. settings]);
    }

    // Another port and another order than the page's, and nothing else.
    private static Task<string> PostAsync(RoleProcess sample, string order)
    {
        const string Address = "http://localhost:5000/";
        var line = File.ReadLines(Path.Combine(RepositoryFolder.Root, "docs", "outbox.md"))
            .Single(static line => line.StartsWith("curl -X POST ", StringComparison.Ordinal));
        line.Should().Contain(Address).And.Contain("\"o-1\"");
        return PastedCommand.RunAsync(line.Replace(Address, sample.Url.ToString(), StringComparison.Ordinal)
            .Replace("\"o-1\"", $"\"{order}\"", StringComparison.Ordinal));
    }

    private static string MessageIdOf(string answer)
    {
        using var json = JsonDocument.Parse(answer);
        return json.RootElement.GetProperty("messageId").GetString()!;
    }

    private async Task<string> StateOfAsync(string messageId) => (await Outbox.Find(new BsonDocument("_id", messageId)).SingleAsync())["state"].AsString;

    private async Task UntilDispatchedAsync(string messageId)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (await StateOfAsync(messageId) != "dispatched")
        {
            await Task.Delay(20, deadline.Token);
        }
    }
}
