using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ClientToClient;

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
    public async Task What_is_no_message_is_refused_with_the_reason_and_neither_saved_nor_sent()
    {
        await _services.StartClientAAsync(_broker);

        await RefusesAsync("""{"to":"clientB","message":"m"}""", "'from' is missing or empty.");
        await RefusesAsync("""{"from":"a","to":" ","message":"m"}""", "'to' is missing or empty.");
        await RefusesAsync("""{"from":"a","to":"clientB","message":""}""", "'message' is missing or empty.");
        await RefusesAsync("{}", "'from' is missing", "'to' is missing", "'message' is missing");
        await RefusesAsync("""{"from":"a","to":null,"message":"m"}""", "'to' is missing or empty.");
        await RefusesAsync("""{"from":"a","to":1,"message":"m"}""", "line 1, $.to");
        await RefusesAsync("hello", "is not JSON");
        await RefusesAsync("[]", "is not JSON");
        await RefusesAsync("", "is not JSON");
        await RefusesAsync("null", "The body is null.");
        await RefusesAsync("""{"from":"\ud800","to":"clientB","message":"m"}""", "line 1, $.from");
        var form = await _services.PostAsync(Good, "application/x-www-form-urlencoded");
        (form.StatusCode, await form.Content.ReadAsStringAsync()).Should()
            .Match<(HttpStatusCode, string)>(answer => answer.Item1 == HttpStatusCode.BadRequest && answer.Item2.Contains("application/json"));

        _services.Store.Entries.Should().BeEmpty();
        _broker.Read(_broker.Topic).Should().BeEmpty();
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
        _services.Store.Entries.Should().ContainSingle();
        _services.LogA.Count("Message saved, but Kafka did not confirm it: clientA to clientB").Should().Be(1);

        _broker.Broker.StartBroker();
        HttpResponseMessage again = refused;
        for (var attempt = 0; attempt < 5 && again.StatusCode is HttpStatusCode.ServiceUnavailable; attempt++)
        {
            again = await _services.PostAsync(Good);
        }

        again.StatusCode.Should().Be(HttpStatusCode.Created, "the broker is back");
        _broker.Read(_broker.Topic).Should().NotBeEmpty();
    }

    [Fact]
    public async Task What_cannot_be_saved_is_not_sent()
    {
        await _services.StartClientAAsync(_broker, new FailingStore());

        var answer = await _services.PostAsync(Good);

        answer.StatusCode.Should().Be(HttpStatusCode.InternalServerError);
        answer.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        _broker.Read(_broker.Topic).Should().BeEmpty();
    }

    private async Task RefusesAsync(string body, params string[] reasons)
    {
        var answer = await _services.PostAsync(body);
        answer.StatusCode.Should().Be(HttpStatusCode.BadRequest, "of {0}", body);
        answer.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        var said = problem.TryGetProperty("errors", out var errors)
            ? string.Join(' ', errors.EnumerateObject().SelectMany(field => field.Value.EnumerateArray()).Select(fault => fault.GetString()))
            : problem.GetProperty("detail").GetString();
        said.Should().ContainAll(reasons);
    }

    private sealed class FailingStore : IMessageStore
    {
        public Task<bool> SaveAsync(ClientMessage entry, CancellationToken cancellationToken = default) => throw new TimeoutException("no database");
    }
}
