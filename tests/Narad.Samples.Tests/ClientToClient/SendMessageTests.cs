using System.Net;
using System.Text.Json;
using ClientToClient.Storage;
using Narad.Kafka;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>What client A answers when it cannot do what it was asked for.</summary>
public sealed class SendMessageTests : IAsyncLifetime
{
    private const string Good = """{"from":"clientA","to":"clientB","message":"m"}""";

    private readonly EmbeddedSampleBroker _broker = new();
    private readonly TwoServices _services = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        _broker.Dispose();
    }

    [Fact]
    public async Task What_is_no_message_is_refused_with_the_field_and_neither_saved_nor_sent()
    {
        await _services.StartClientAAsync(_broker);

        await RefusesAsync("""{"to":"clientB","message":"m"}""", "from");
        await RefusesAsync("""{"from":"a","to":" ","message":"m"}""", "to");
        await RefusesAsync("""{"from":"a","to":"clientB","message":""}""", "message");
        await RefusesAsync("{}", "from", "to", "message");
        await RefusesAsync("""{"from":"a","to":null,"message":"m"}""", "to");
        await RefusesAsync("""{"from":"a","to":1,"message":"m"}""", "to");
        await RefusesAsync($$"""{"from":"a","to":"{{new string('b', 201)}}","message":"m"}""", "to");
        await RefusesAsync("hello", "$");
        await RefusesAsync("[]", "$");
        await RefusesAsync("""{"from":"\ud800","to":"clientB","message":"m"}""", "from");
        (await ProblemAsync(await _services.PostAsync(""), HttpStatusCode.BadRequest)).Should().NotBeNull();
        (await ProblemAsync(await _services.PostAsync("null"), HttpStatusCode.BadRequest)).Should().NotBeNull();
        await ProblemAsync(await _services.PostAsync(Good, "application/x-www-form-urlencoded"), HttpStatusCode.UnsupportedMediaType);
        await ProblemAsync(await _services.PostAsync(Good, idempotencyKey: new string('k', 101)), HttpStatusCode.BadRequest);
        await ProblemAsync(await _services.PostAsync(Good, path: "/send"), HttpStatusCode.NotFound);

        _services.Saved().Should().BeEmpty();
        _broker.Read(_broker.Topic).Should().BeEmpty();
    }

    [Fact]
    public async Task What_names_no_dead_letter_is_refused()
    {
        await _services.StartClientAAsync(_broker);
        const string Redrive = "/dead-letters/redrive";

        (await ProblemAsync(await _services.PostAsync("{}", path: Redrive), HttpStatusCode.BadRequest)).GetProperty("errors").EnumerateObject()
            .Select(error => error.Name).Should().BeEquivalentTo(["partition", "offset"]);
        await ProblemAsync(await _services.PostAsync("""{"partition":-1,"offset":0}""", path: Redrive), HttpStatusCode.BadRequest);
        await ProblemAsync(await _services.PostAsync("""{"partition":0,"offset":"x"}""", path: Redrive), HttpStatusCode.BadRequest);
        await ProblemAsync(await _services.PostAsync("""{"partition":0,"offset":0}""", path: Redrive), HttpStatusCode.NotFound);
        await ProblemAsync(await _services.PostAsync("""{"partition":7,"offset":0}""", path: Redrive), HttpStatusCode.NotFound);
        await ProblemAsync(
            await _services.PostAsync("partition=0&offset=0", "application/x-www-form-urlencoded", Redrive), HttpStatusCode.UnsupportedMediaType);
        (await ProblemAsync(await _services.GetAsync(new Uri(_services.ClientA, "/dead-letters?after=x")), HttpStatusCode.BadRequest))
            .GetProperty("errors").GetProperty("after").EnumerateArray().Should().ContainSingle();
    }

    [Fact]
    public async Task A_request_that_comes_again_with_its_key_is_saved_once()
    {
        await _services.StartClientAAsync(_broker);
        await _services.StartClientBAsync(_broker);

        (await _services.PostAsync(Good, idempotencyKey: "order-17")).StatusCode.Should().Be(HttpStatusCode.Created);
        (await _services.PostAsync(Good, idempotencyKey: "order-17")).StatusCode.Should().Be(HttpStatusCode.Created);
        await TwoServices.UntilAsync(() => _services.LogB.Count("Message saved (") == 2, "client B has seen both");

        _services.Saved().Select(entry => (entry.MessageId, entry.SavedBy)).Order().Should().Equal(("order-17", "clientA"), ("order-17", "clientB"));
    }

    [Fact]
    public async Task Both_services_say_that_all_is_well()
    {
        await _services.StartClientAAsync(_broker);
        await _services.StartClientBAsync(_broker);

        (await _services.GetAsync(new Uri(_services.ClientA, "/health"))).StatusCode.Should().Be(HttpStatusCode.OK);
        (await _services.GetAsync(new Uri(_services.ClientB, "/health"))).StatusCode.Should().Be(HttpStatusCode.OK);
    }

    [Fact]
    public async Task The_longest_message_that_is_taken_can_be_sent()
    {
        await _services.StartClientAAsync(_broker);
        string Of(int length) => $$"""{"from":"a","to":"clientB","message":"{{new string('<', length)}}"}""";   // each is six bytes in the JSON that is sent
        var most = (128 * 1024) - Of(0).Length;

        (await _services.PostAsync(Of(most))).StatusCode.Should().Be(HttpStatusCode.Created);
        (await _services.PostAsync(Of(most + 1))).StatusCode.Should().Be(HttpStatusCode.RequestEntityTooLarge);

        JsonDocument.Parse(_broker.Read(_broker.Topic).Single().Value).RootElement.GetProperty("message").GetString().Should().HaveLength(most);
    }

    [Fact]
    public async Task While_the_broker_is_down_the_sender_is_told_what_was_done_and_what_was_not()
    {
        await _services.StartClientAAsync(_broker);
        _broker.Broker.StopBroker();

        var refused = await _services.PostAsync(Good);

        refused.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        refused.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        (await refused.Content.ReadAsStringAsync()).Should().Contain("saved, but Kafka did not confirm it");
        _services.Saved().Should().ContainSingle();
        _services.LogA.All.Count(line => line.EndsWith("is saved, but Kafka did not confirm it", StringComparison.Ordinal)).Should().Be(1);

        _broker.Broker.StartBroker();
        HttpResponseMessage again = refused;
        for (var attempt = 0; attempt < 5 && again.StatusCode is HttpStatusCode.ServiceUnavailable; attempt++)
        {
            again = await _services.PostAsync(Good);
        }

        again.StatusCode.Should().Be(HttpStatusCode.Created, "the broker is back");
        _broker.Read(_broker.Topic).Should().NotBeEmpty();
    }

    [Theory]
    [InlineData(false, HttpStatusCode.InternalServerError)]
    [InlineData(true, HttpStatusCode.ServiceUnavailable)]
    public async Task What_cannot_be_saved_is_not_sent(bool isOutage, HttpStatusCode status)
    {
        Exception failure = isOutage ? new StoreUnavailableException("no database") : new InvalidOperationException("refused");
        await _services.StartClientAAsync(_broker, new FailingRepository(failure));

        await ProblemAsync(await _services.PostAsync(Good), status);

        _broker.Read(_broker.Topic).Should().BeEmpty();
    }

    private async Task RefusesAsync(string body, params string[] fields)
    {
        var problem = await ProblemAsync(await _services.PostAsync(body), HttpStatusCode.BadRequest);
        problem.GetProperty("errors").EnumerateObject().Select(error => error.Name).Order().Should().Equal(fields.Order(), "of {0}", body);
    }

    private static async Task<JsonElement> ProblemAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.Should().Be(status, "it says {0}", text);
        answer.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        text.Should().NotContain(" at ClientToClient.", "no stack trace is shown");
        return JsonDocument.Parse(text).RootElement;
    }

    private sealed class FailingRepository(Exception failure) : IMessageRepository
    {
        public string Name => "nowhere";

        public Task SaveAsync(SavedMessage entry, CancellationToken cancellationToken = default) => throw failure;

        public Task<IReadOnlySet<string>> FindSavedAsync(
            IReadOnlyCollection<string> messageIds, string savedBy, CancellationToken cancellationToken = default) => throw failure;
    }
}
