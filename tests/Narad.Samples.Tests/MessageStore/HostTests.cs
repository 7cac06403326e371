using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MessageStore;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>API and consumer in this process.</summary>
public sealed class HostTests
{
    [Fact]
    public async Task A_message_is_stored_at_once_and_produced_and_pages_are_newest_first()
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        var url = sample.UrlOf("api");
        var posted = new List<Message>();
        foreach (var text in (string[])["one", "two", "three"])
        {
            posted.Add(await MessageStoreHosts.PostAsync(url, text));
        }

        (await MessageStoreHosts.ListAsync(url)).Select(message => message.Text).Should().Equal("three", "two", "one");
        await MessageStoreHosts.UntilAsync(async () => (await MessageStoreHosts.ListAsync(url)).All(message => message.Produced), "all are produced");

        (await MessageStoreHosts.ListAsync(url, "?limit=2")).Select(message => message.Id).Should().Equal(posted[2].Id, posted[1].Id);
        (await MessageStoreHosts.ListAsync(url, $"?limit=2&before={posted[1].Id}")).Select(message => message.Id).Should().Equal(posted[0].Id);
        using var http = new HttpClient { BaseAddress = url };
        (await http.GetAsync("/messages?limit=2")).Headers.GetValues("Link").Should().Equal($"</messages?limit=2&before={posted[1].Id}>; rel=\"next\"");
        (await http.GetAsync("/messages?limit=4")).Headers.Contains("Link").Should().BeFalse();
    }

    [Fact]
    public async Task The_consumer_stores_what_is_not_there_yet_once_and_sets_aside_what_is_no_message()
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        var url = sample.UrlOf("api");
        var kafka = sample["api"].Services.GetRequiredService<IKafkaProducer>();
        var posted = await MessageStoreHosts.PostAsync(url, "from the API");
        var other = new Message { Id = Guid.CreateVersion7().ToString(), Text = "from another producer", CreatedAt = posted.CreatedAt };

        await kafka.SendAsync("messages", posted with { Text = "redelivered" });
        await kafka.SendAsync("messages", other);
        await kafka.SendAsync("messages", other);
        await kafka.SendAsync("messages", """{"id":"7"}""");
        await kafka.SendAsync("messages", other with { Id = Guid.CreateVersion7().ToString(), Text = "last" }, key: other.Id);

        await MessageStoreHosts.UntilAsync(
            async () => (await MessageStoreHosts.ListAsync(url)) is { Count: 3 } && sample.Broker!.Topics.ContainsKey("messages-dlt"), "three are stored");
        (await MessageStoreHosts.ListAsync(url)).Select(message => message.Text).Order(StringComparer.Ordinal)
            .Should().Equal("from another producer", "from the API", "last");
    }

    [Fact]
    public async Task While_the_broker_is_down_messages_are_taken_and_produced_once_it_is_back()
    {
        await using var sample = await MessageStoreHosts.StartAsync("--Kafka:SendTimeout=00:00:02");
        var url = sample.UrlOf("api");
        await MessageStoreHosts.PostAsync(url, "before");
        await MessageStoreHosts.UntilAsync(async () => (await MessageStoreHosts.ListAsync(url))[0].Produced, "the first one is produced");

        sample.Broker!.StopBroker();
        await MessageStoreHosts.PostAsync(url, "meanwhile");
        (await MessageStoreHosts.ListAsync(url)).Select(message => (message.Text, message.Produced)).Should().Equal(("meanwhile", false), ("before", true));
        using var http = new HttpClient { BaseAddress = url };
        await MessageStoreHosts.UntilAsync(
            async () => (await http.GetFromJsonAsync<JsonElement>("/health/kafka")).GetProperty("status").GetString() is "disconnected", "it is disconnected");
        (await http.GetAsync("/health")).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);

        sample.Broker.StartBroker();
        await MessageStoreHosts.UntilAsync(async () => (await MessageStoreHosts.ListAsync(url)).All(message => message.Produced), "both are produced");
        (await MessageStoreHosts.ListAsync(url)).Should().HaveCount(2);
    }

    [Fact]
    public async Task Health_says_what_the_documents_say()
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        using var http = new HttpClient { BaseAddress = sample.UrlOf("api") };

        var kafka = await http.GetFromJsonAsync<JsonElement>("/health/kafka");
        kafka.GetProperty("status").GetString().Should().Be("connected");
        kafka.GetProperty("clientId").GetString().Should().Be("message-store-api");
        kafka.GetProperty("brokers").EnumerateArray().Select(broker => broker.GetString()).Should().Equal(sample.Broker!.BootstrapServers);
        (await http.GetFromJsonAsync<JsonElement>("/health")).GetProperty("status").GetString().Should().Be("healthy");
        (await http.GetAsync(new Uri(sample.UrlOf("consumer"), "/health"))).StatusCode.Should().Be(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("""{"text":""}""", 400, "text")]
    [InlineData("""{"text":"  "}""", 400, "text")]
    [InlineData("{}", 400, "text")]
    [InlineData("""{"text":5}""", 400, "text")]
    [InlineData("not JSON", 400, "$")]
    [InlineData("", 400, null)]
    [InlineData("null", 400, null)]
    public async Task What_is_no_message_is_refused_with_the_field_and_nothing_is_stored(string body, int status, string? field)
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        using var http = new HttpClient { BaseAddress = sample.UrlOf("api") };

        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        var problem = await ProblemAsync(await http.PostAsync("/messages", content), status);

        (problem.TryGetProperty("errors", out var errors) ? errors.EnumerateObject().Select(error => error.Name).Single() : null).Should().Be(field);
        (await MessageStoreHosts.ListAsync(sample.UrlOf("api"))).Should().BeEmpty();
    }

    [Fact]
    public async Task Other_mistakes_are_problems_too_and_show_no_stack_trace()
    {
        await using var sample = await MessageStoreHosts.StartAsync("--environment=Development");
        using var http = new HttpClient { BaseAddress = sample.UrlOf("api") };

        using var text = new StringContent("""{"text":"x"}""", Encoding.UTF8, "text/plain");
        using var large = new StringContent($$"""{"text":"{{new string('x', 200_000)}}"}""", Encoding.UTF8, "application/json");
        using var many = new StringContent($$"""{"text":"{{new string('x', 10_001)}}"}""", Encoding.UTF8, "application/json");
        using var hours = new StringContent("""{"hours":24}""", Encoding.UTF8, "application/json");
        using var never = new StringContent("""{"hours":0}""", Encoding.UTF8, "application/json");
        await ProblemAsync(await http.PostAsync("/messages", text), 415);
        await ProblemAsync(await http.PostAsync("/messages", large), 413);
        (await ProblemAsync(await http.PostAsync("/messages", many), 400)).GetProperty("errors").TryGetProperty("text", out _).Should().BeTrue();
        (await ProblemAsync(await http.GetAsync("/messages?limit=0"), 400)).GetProperty("errors").TryGetProperty("limit", out _).Should().BeTrue();
        (await ProblemAsync(await http.GetAsync("/messages?limit=x"), 400)).GetProperty("errors").TryGetProperty("limit", out _).Should().BeTrue();
        (await ProblemAsync(await http.GetAsync("/messages?before=x"), 400)).GetProperty("errors").TryGetProperty("before", out _).Should().BeTrue();
        await ProblemAsync(await http.GetAsync("/nothing"), 404);
        await ProblemAsync(await http.DeleteAsync("/messages"), 405);
        (await ProblemAsync(await http.PutAsync("/retention", never), 400)).GetProperty("errors").TryGetProperty("hours", out _).Should().BeTrue();
        (await ProblemAsync(await http.PutAsync("/retention", hours), 501)).GetProperty("detail").GetString().Should().Contain("embedded");
    }

    private static async Task<JsonElement> ProblemAsync(HttpResponseMessage response, int status)
    {
        ((int)response.StatusCode).Should().Be(status);
        response.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        var text = await response.Content.ReadAsStringAsync();
        text.Should().NotContain("   at ").And.NotContain("Exception");
        return JsonDocument.Parse(text).RootElement;
    }
}
