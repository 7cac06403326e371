using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MessageStore;
using Narad.Kafka.Shared;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>The API with a real cluster, without its database, and with a telemetry collector.</summary>
public sealed class OtherServersTests
{
    [SkippableFact]
    public async Task On_a_real_cluster_the_topic_keeps_messages_for_24_hours_and_another_time_can_be_set()
    {
        var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
        Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
        var topic = $"narad-test-store-{Guid.CreateVersion7():n}";
        await using var sample = await MessageStoreHosts.StartAsync(
            "--Kafka:Mode=Kafka", $"--Kafka:Brokers={brokers}", $"--Kafka:TopicNames:messages={topic}", $"--Kafka:ConsumerGroupId={topic}");
        using var http = new HttpClient { BaseAddress = sample.UrlOf("api") };

        var before = await http.GetFromJsonAsync<JsonElement>("/retention");
        using var changed = await http.PutAsJsonAsync("/retention", new { hours = 48 });

        before.GetProperty("topic").GetString().Should().Be(topic);
        before.GetProperty("retentionMs").GetInt64().Should().Be(86_400_000);
        changed.StatusCode.Should().Be(HttpStatusCode.OK);
        await MessageStoreHosts.UntilAsync(
            async () => (await http.GetFromJsonAsync<JsonElement>("/retention")).GetProperty("retentionMs").GetInt64() is 172_800_000, "it is 48 hours");
        await MessageStoreHosts.PostAsync(http.BaseAddress, "on a real cluster");
        await MessageStoreHosts.UntilAsync(async () => (await MessageStoreHosts.ListAsync(http.BaseAddress))[0].Produced, "it is produced");
    }

    [Fact]
    public async Task While_the_database_is_down_a_message_is_refused_and_no_secret_shown()
    {
        await using var sample = await Sample.StartAsync(
            ["--urls=http://127.0.0.1:0", "--MONGODB_URI=mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200"], MessageStoreRoles.All()[0]);
        using var http = new HttpClient { BaseAddress = sample.UrlOf("api") };

        using var refused = await http.PostAsJsonAsync("/messages", new { text = "lost?" });

        refused.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        var problem = await refused.Content.ReadAsStringAsync();
        problem.Should().Contain("The storage does not answer").And.NotContain("secret").And.NotContain("   at ");
    }

    [Fact]
    public async Task One_setting_switches_telemetry_on()
    {
        await using var collector = LoopbackEndpoint.Json("{}");
        await using var sample = await MessageStoreHosts.StartAsync(
            $"--OTEL_EXPORTER_OTLP_ENDPOINT={collector.Address}", "--OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "--OTEL_BSP_SCHEDULE_DELAY=100");

        await MessageStoreHosts.PostAsync(sample.UrlOf("api"), "traced");

        await MessageStoreHosts.UntilAsync(
            () => Task.FromResult(collector.Requests.Any(static request =>
                request.Head.StartsWith("POST /v1/traces", StringComparison.Ordinal) && request.Body.Contains("Narad.Kafka", StringComparison.Ordinal))),
            "the library's spans are exported");
    }
}
