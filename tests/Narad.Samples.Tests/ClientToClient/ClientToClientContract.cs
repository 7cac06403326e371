using System.Net;
using System.Text;
using System.Text.Json;
using ClientToClient;
using Confluent.Kafka;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>The three tests of the system's own document, with its words, topics and entries; and dead letters that are redriven.</summary>
public abstract class ClientToClientContract<TBroker> : IAsyncLifetime
    where TBroker : SampleBroker, new()
{
    private const string ForClientB = """{"from":"clientA","to":"clientB","message":"Test success"}""";
    private const string NotForClientB = """{"from":"clientA","to":"clientA","message":"Test failure"}""";

    private static readonly string[] Words = [
        "Message saved", "Message ignored", "Retry scheduled #1", "Retry scheduled #2", "Retry scheduled #3", "Retry scheduled #4", "Moved to DLQ"];

    private readonly TBroker _broker = new();
    private readonly TwoServices _services;
    private readonly string _storage;

    protected ClientToClientContract(bool inMongo)
    {
        _services = new TwoServices { Mongo = inMongo ? new TestMongo() : null };
        _storage = inMongo ? "MongoDB" : "memory";
    }

    private DateTimeOffset Now => _services.Clock.GetUtcNow();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        _broker.Dispose();
    }

    [SkippableFact]
    public async Task Test_1_a_message_for_client_B_is_saved_by_both()
    {
        await StartAsync();

        var before = Now;
        (await _services.PostAsync(ForClientB)).StatusCode.Should().Be(HttpStatusCode.Created);
        await _services.CommittedAsync(_broker.Group, _broker.Topic, 1);

        _services.LogA.Of($"Message saved to {_storage}").Should().ContainSingle();
        _services.LogB.Of(Words).Should().Equal("Message saved");
        var saved = _services.Saved();
        saved.Select(entry => entry.SavedBy).Order().Should().Equal("clientA", "clientB");
        saved.Should().OnlyContain(entry => entry.Content.From == "clientA" && entry.Content.To == "clientB" && entry.Content.Message == "Test success");
        var sent = _broker.Read(_broker.Topic).Single();
        saved.Should().OnlyContain(entry => entry.MessageId == Header(sent, "message-id"));
        var fields = JsonDocument.Parse(sent.Value).RootElement;
        fields.EnumerateObject().Select(field => field.Name).Should().Equal("from", "to", "message", "timestamp");
        fields.GetProperty("timestamp").GetDateTimeOffset().Should().BeOnOrAfter(before.AddMilliseconds(-1)).And.BeOnOrBefore(Now);
        saved.Should().OnlyContain(entry => entry.Content.Timestamp >= before.AddMilliseconds(-1) && entry.Content.Timestamp <= Now);
        (await TopicsAsync()).Should().Equal(1, 1, 1);
        _broker.Read($"{_broker.Topic}-retry").Should().BeEmpty();
        _broker.Read($"{_broker.Topic}-dlt").Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Test_2_a_message_for_somebody_else_is_ignored_and_its_offset_committed()
    {
        await StartAsync();

        var before = Now;
        (await _services.PostAsync(NotForClientB)).StatusCode.Should().Be(HttpStatusCode.Created);
        await _services.CommittedAsync(_broker.Group, _broker.Topic, 1);

        _services.LogA.Of($"Message saved to {_storage}").Should().ContainSingle();
        _services.LogB.Of(Words).Should().Equal("Message ignored");
        var saved = _services.Saved().Should().ContainSingle().Which;
        saved.SavedBy.Should().Be("clientA");
        saved.Content.Should().Be(new ClientMessage("clientA", "clientA", "Test failure", saved.Content.Timestamp));
        saved.Content.Timestamp.Should().BeOnOrAfter(before.AddMilliseconds(-1)).And.BeOnOrBefore(Now);
        _broker.Read($"{_broker.Topic}-retry").Should().BeEmpty();
        _broker.Read($"{_broker.Topic}-dlt").Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Test_3_a_message_that_always_fails_is_retried_after_2_4_and_8_seconds_and_then_a_dead_letter()
    {
        await StartAsync(forceFailure: true);

        var earliest = Now;
        (await _services.PostAsync(ForClientB)).StatusCode.Should().Be(HttpStatusCode.Created);
        for (var retry = 1; retry <= 3; retry++)
        {
            await TwoServices.UntilAsync(() => _services.Dues.Count == retry
                && _services.LogB.Count($"Retry scheduled #{retry}: ") == 1, $"retry {retry} is scheduled");
            var wait = TimeSpan.FromSeconds(1 << retry);
            var due = _services.Dues.Last();
            due.Should().BeOnOrAfter(earliest + wait, "it failed when it was due, or later").And.BeOnOrBefore(Now + wait + TimeSpan.FromMilliseconds(1));

            // While it waits others continue.
            await _services.PostAsync(NotForClientB);
            await TwoServices.UntilAsync(() => _services.LogB.Count("Message ignored") == retry, "what is behind it continues");
            var handled = (_services.Dues.Count, _services.LogB.Count("Moved to DLQ"));
            if (Now < due)
            {
                handled.Should().Be((retry, 0), "it is not due");
            }

            _services.Clock.Advance(TimeSpan.FromTicks(Math.Max(0, (due - Now).Ticks)));
            earliest = due;
        }

        await TwoServices.UntilAsync(() => _services.LogB.Count("Moved to DLQ") == 1, "it is a dead letter");
        await _services.CommittedAsync(_broker.Group, _broker.Topic, 4);
        await _services.CommittedAsync($"{_broker.Group}-retry", $"{_broker.Topic}-retry", 3);

        _services.LogB.Of(Words).Where(word => word != "Message ignored").Should()
            .Equal("Retry scheduled #1", "Retry scheduled #2", "Retry scheduled #3", "Moved to DLQ");
        var original = _broker.Read(_broker.Topic)[0];
        var retries = _broker.Read($"{_broker.Topic}-retry");
        var deadLettered = _broker.Read($"{_broker.Topic}-dlt").Should().ContainSingle("it is not lost").Which;
        retries.Select(copy => Header(copy, "retry")).Should().Equal("1", "2", "3");
        retries.Append(deadLettered).Should().OnlyContain(copy => copy.Value == original.Value);
        (Header(deadLettered, "retry"), Header(deadLettered, "narad-topic"), Header(deadLettered, "narad-offset"), Header(deadLettered, "narad-group")).Should()
            .Be(("3", _broker.Topic, "0", _broker.Group));
        _services.Saved().Where(entry => entry.Content.To == "clientB").Should().ContainSingle("only client A saved it");
        (await TopicsAsync()).Should().Equal(1, 1, 1);
    }

    [SkippableFact]
    public async Task What_succeeds_one_time_in_five_is_saved_once_when_it_does()
    {
        await StartAsync(successRate: 0.2, random: new Draws(0.2, 0.9, 0.19));

        (await _services.PostAsync(ForClientB)).StatusCode.Should().Be(HttpStatusCode.Created);
        for (var retry = 1; retry <= 2; retry++)
        {
            await TwoServices.UntilAsync(() => _services.LogB.Count($"Retry scheduled #{retry}: ") == 1, $"retry {retry} is scheduled");
            _services.Clock.Advance(TimeSpan.FromSeconds((1 << retry) + 1));
        }

        await _services.CommittedAsync($"{_broker.Group}-retry", $"{_broker.Topic}-retry", 2);

        _services.LogB.Of(Words).Should().Equal("Retry scheduled #1", "Retry scheduled #2", "Message saved");
        _services.Saved().Select(entry => entry.SavedBy).Order().Should().Equal("clientA", "clientB");
        _broker.Read($"{_broker.Topic}-dlt").Should().BeEmpty();
    }

    [SkippableFact]
    public async Task A_dead_letter_that_is_redriven_is_saved_by_client_B_and_listed_as_saved()
    {
        await StartAsync(forceFailure: true);
        (await ListAsync()).Should().BeEmpty();
        await _services.PostAsync(ForClientB);
        await _services.UntilDeadLetterAsync();
        var letter = (await ListAsync()).Should().ContainSingle().Which;
        letter.GetProperty("message").GetString().Should().Be("Test success");
        letter.GetProperty("attempts").GetInt32().Should().Be(3);
        letter.GetProperty("saved").GetBoolean().Should().BeFalse();

        await _services.ForceFailureAsync(false);
        (await _services.PostAsync("""{"partition":0,"offset":0}""", path: "/dead-letters/redrive")).StatusCode.Should().Be(HttpStatusCode.OK);
        (await _services.PostAsync("""{"partition":0,"offset":0}""", path: "/dead-letters/redrive")).StatusCode.Should().Be(HttpStatusCode.OK);
        await TwoServices.UntilAsync(() => _services.LogB.Count("Message saved (") == 2, "client B saves it, and it does no harm that it comes twice");

        _services.Saved().Select(entry => entry.SavedBy).Order().Should().Equal("clientA", "clientB");
        (await ListAsync()).Should().ContainSingle().Which.GetProperty("saved").GetBoolean().Should().BeTrue();
    }

    private async Task<List<JsonElement>> ListAsync()
    {
        var answer = await _services.GetAsync(new Uri(_services.ClientA, "/dead-letters"));
        answer.StatusCode.Should().Be(HttpStatusCode.OK);
        return [.. JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("items").EnumerateArray()];
    }

    private static string Header(Message<byte[]?, string> message, string name) => Encoding.UTF8.GetString(message.Headers.GetLastBytes(name));

    private async Task StartAsync(bool forceFailure = false, double successRate = 1, Random? random = null)
    {
        await _services.StartClientAAsync(_broker);
        await _services.StartClientBAsync(
            _broker,
            options =>
            {
                options.ForceFailure = forceFailure;
                options.SuccessRate = successRate;
            },
            random);
    }

    // The partitions of the three topics; one that does not exist is left out.
    private async Task<IEnumerable<int>> TopicsAsync() =>
        (await _services.Kafka.Topics.GetPartitionCountsAsync([_broker.Topic, $"{_broker.Topic}-retry", $"{_broker.Topic}-dlt"])).Values;

    private sealed class Draws(params double[] draws) : Random
    {
        private readonly Queue<double> _draws = new(draws);

        public override double NextDouble() => _draws.Dequeue();
    }
}

public sealed class ClientToClientOnEmbedded() : ClientToClientContract<EmbeddedSampleBroker>(inMongo: false);

public sealed class ClientToClientOnKafka() : ClientToClientContract<KafkaSampleBroker>(inMongo: false);

public sealed class ClientToClientInMongo() : ClientToClientContract<EmbeddedSampleBroker>(inMongo: true)
{
    [SkippableFact]
    public async Task A_message_has_one_entry_for_each_client()
    {
        var mongo = new TestMongo();
        await using var services = new TwoServices { Mongo = mongo };   // deletes it
        using var broker = new EmbeddedSampleBroker();
        await services.StartClientAAsync(broker);

        await services.PostAsync("""{"from":"clientA","to":"clientB","message":"one"}""", idempotencyKey: "key-1");
        await services.PostAsync("""{"from":"clientA","to":"clientB","message":"one"}""", idempotencyKey: "key-1");

        var entry = mongo.Collection.Find(new BsonDocument()).ToList().Should().ContainSingle().Which;
        entry.Names.Should().Equal("_id", "messageId", "savedBy", "from", "to", "message", "timestamp");
        entry["timestamp"].BsonType.Should().Be(BsonType.DateTime);
        var index = mongo.Collection.Indexes.List().ToList().Single(index => index["key"].AsBsonDocument.Contains("messageId"));
        index["key"].AsBsonDocument.Names.Should().Equal("messageId", "savedBy");
        index["unique"].ToBoolean().Should().BeTrue();
    }
}
