using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Mongo.Tests;

[Trait("Promise", "S35")]
public sealed class StandaloneMessageStoreTests() : MongoMessageStoreTests(TestDatabase.Standalone)
{
    [SkippableTheory]
    [InlineData(MessageWriteMode.InsertIfAbsent, "insert")]
    [InlineData(MessageWriteMode.Replace, "update")]
    [InlineData(MessageWriteMode.ReplaceIfNewer, "update")]
    public async Task A_write_that_failed_and_was_done_all_the_same_is_no_failure_when_it_is_repeated(MessageWriteMode mode, string command)
    {
        SkipWithoutServer();
        using var proxy = new LostReplies(Database.Uri);
        Store = new MongoMessageStore(
            Database.Connect(database: TestDatabase.Client(proxy.Uri, static settings => settings.RetryWrites = false).GetDatabase(Database.Name)),
            TimeProvider.System, json: null);
        await WriteAsync(mode, Message("warm", 1, version: 1));
        var writing = () => WriteAsync(mode, Message("a", 2, version: 1), Message("b", 3, version: 1));
        proxy.LoseNext(command);

        await writing.Should().ThrowAsync<StoreUnavailableException>().WithMessage("*write to collection 'events'*connection failed*");
        await Waiting.UntilAsync(async () => (await OffsetOfAsync("a"), await OffsetOfAsync("b")) == (2L, 3L), "it was written all the same");

        (await writing()).Should().OnlyContain(static error => error == null);
        (await OffsetOfAsync("a"), await OffsetOfAsync("b")).Should().Be((2L, 3L));
    }
}

[Trait("Promise", "S35")]
public sealed class ReplicaSetMessageStoreTests() : MongoMessageStoreTests(TestDatabase.ReplicaSet)
{
    [SkippableFact]
    public async Task What_a_validator_refuses_fails_alone()
    {
        SkipWithoutServer();
        await Database.Database.CreateCollectionAsync("events",
            new CreateCollectionOptions<BsonDocument> { Validator = new BsonDocument("message.text", new BsonDocument("$ne", "bad")) });

        var results = await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1), Message("b", 2, message: new { Text = "bad" }), Message("c", 3));

        results[0].Should().BeNull();
        results[1].Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("events").And.Contain("121");
        results[2].Should().BeNull();
        (await OffsetOfAsync("c")).Should().Be(3);
    }

    [SkippableTheory]
    [InlineData(91)]
    [InlineData(11600)]
    [InlineData(13)]
    public async Task A_server_that_cannot_write_is_an_outage_and_not_the_messages_fault(int code)
    {
        SkipWithoutServer();
        var name = $"narad-{Guid.CreateVersion7():n}";
        var client = TestDatabase.Client(Database.Uri, settings => settings.ApplicationName = name);
        Store = new MongoMessageStore(Database.Connect(database: client.GetDatabase(Database.Name)), TimeProvider.System, json: null);
        await using var failpoint = await Failpoint.SetAsync(Database.Database.Client, name, "insert", code, times: 6);

        var outages = 0;
        await Waiting.UntilAsync(
            async () =>
            {
                try
                {
                    (await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1), Message("b", 2))).Should().OnlyContain(static error => error == null);
                    return true;
                }
                catch (StoreUnavailableException)
                {
                    outages++;
                    return false;
                }
            },
            "the messages were stored");

        outages.Should().BePositive();
        (await OffsetOfAsync("b")).Should().Be(2);
    }
}

[Trait("Promise", "S35")]
public abstract class MongoMessageStoreTests(string server) : MessageStoreContract
{
    private TestDatabase? _database;

    private protected override string Server => server;

    private protected TestDatabase Database => _database!;

    public override Task InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(server) is { Length: > 0 })
        {
            _database = TestDatabase.On(server);
            Store = new MongoMessageStore(_database.Connect(), TimeProvider.System, json: null);
        }

        return Task.CompletedTask;
    }

    public override async Task DisposeAsync()
    {
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    private protected override async Task<long?> OffsetOfAsync(string id) => (await FindAsync(id))?["offset"].ToInt64();

    private async Task<BsonDocument?> FindAsync(string id) => await Database.Collection("events").Find(new BsonDocument("_id", id)).FirstOrDefaultAsync();

    public sealed record Order(Guid Id, decimal Price, DateTimeOffset At, DateTime Day, JsonElement More, string? Note, IReadOnlyList<int> Numbers,
        Dictionary<string, long> Counts, DayOfWeek Weekday, byte[] Raw);

    [SkippableFact]
    public async Task A_document_can_be_read_by_people_and_other_languages_and_keeps_its_values()
    {
        SkipWithoutServer();
        var id = Guid.NewGuid();
        using var more = JsonDocument.Parse("""{"n":1,"large":12345678901,"exact":1.10,"wide":1e300,"list":[true,null,"x"]}""");
        var order = new Order(
            id, 12.3400m, new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.FromHours(2)), new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc),
                more.RootElement.Clone(), null, [1, 2],
            new() { ["a"] = 1 }, DayOfWeek.Friday, [1, 2]);

        (await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1, message: order))).Should().OnlyContain(static error => error == null);

        var stored = (await FindAsync("a"))!;
        stored.Names.Should().Equal("_id", "topic", "partition", "offset", "timestamp", "key", "message", "_storedAt");
        var message = stored["message"].AsBsonDocument;
        message.Names.Should().Equal("id", "price", "at", "day", "more", "note", "numbers", "counts", "weekday", "raw");
        message["id"].AsBsonBinaryData.ToGuid(GuidRepresentation.Standard).Should().Be(id);
        message["price"].AsDecimal128.ToString().Should().Be("12.3400");
        message["at"].ToUniversalTime().Should().Be(new DateTime(2026, 11, 30, 6, 0, 0, DateTimeKind.Utc));
        message["day"].ToUniversalTime().Should().Be(order.Day);
        message["more"]["n"].AsInt32.Should().Be(1);
        message["more"]["large"].AsInt64.Should().Be(12345678901);
        message["more"]["exact"].AsDecimal128.ToString().Should().Be("1.10");
        message["more"]["wide"].ToDouble().Should().Be(1e300);
        message["more"]["list"].AsBsonArray.Should().Equal(BsonBoolean.True, BsonNull.Value, "x");
        message["note"].IsBsonNull.Should().BeTrue();
        message["numbers"].AsBsonArray.Should().HaveCount(2);
        message["counts"]["a"].AsInt64.Should().Be(1);
        message["raw"].AsByteArray.Should().Equal(1, 2);
    }

    [SkippableFact]
    public async Task A_document_above_16_MiB_fails_alone_and_for_good()
    {
        SkipWithoutServer();
        var results = await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1), Message("b", 2, message: new { Text = new string('x', 17 << 20) }),
            Message("c", 3));

        results[0].Should().BeNull();
        results[1].Should().BeOfType<DeadLetterException>().Which.Message.Should().Contain("16,777,216");
        results[2].Should().BeNull();
        (await OffsetOfAsync("c")).Should().Be(3);
    }

    [SkippableFact]
    public async Task The_duplicate_of_an_applications_own_unique_index_is_a_failure()
    {
        SkipWithoutServer();
        await Database.Collection("events").Indexes.CreateOneAsync(
            new CreateIndexModel<BsonDocument>(new BsonDocument("message.text", 1), new CreateIndexOptions { Unique = true, Name = "text" }));

        var results = await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1), Message("b", 2));

        results.Count(static error => error is InvalidOperationException).Should().Be(1);
    }

    [SkippableFact]
    public async Task Documents_expire_and_a_changed_retention_is_applied()
    {
        SkipWithoutServer();
        var days = new MessageStoreTarget("events", Retention: TimeSpan.FromDays(3));
        await Store.StartAsync(days, CancellationToken.None);
        await Store.WriteAsync(days, [Message("a", 1)], CancellationToken.None);
        (await ExpiryAsync()).Should().Be(3 * 86_400);

        await Store.StartAsync(days with { Retention = TimeSpan.FromSeconds(1) }, CancellationToken.None);

        (await ExpiryAsync()).Should().Be(1);
        await Waiting.UntilAsync(async () => await OffsetOfAsync("a") is null, "the document expired");

        async Task<long> ExpiryAsync() => (await (await Database.Collection("events").Indexes.ListAsync()).ToListAsync())
            .Single(static index => index["name"] == "storedAt_ttl")["expireAfterSeconds"].ToInt64();
    }

    [SkippableFact]
    public async Task A_mapped_document_is_stored_as_it_is_with_the_message_id()
    {
        SkipWithoutServer();
        var mapped = new BsonDocument { { "name", "x" }, { "dotted.name", 1 } };
        (await WriteAsync(MessageWriteMode.Replace, Message("a", 1) with { Document = mapped })).Should().OnlyContain(static error => error == null);

        (await FindAsync("a")).Should().BeEquivalentTo(new BsonDocument { { "_id", "a" }, { "name", "x" }, { "dotted.name", 1 } });
        mapped.Contains("_id").Should().BeFalse("the application's document is left alone");
    }
}
