using Confluent.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>That an administration client which disposes itself, as Confluent's does when its thread fails, is replaced.</summary>
public sealed class AdminDeathTests : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();
    private readonly AdminConnection _admin;
    private readonly KafkaTopics _topics;

    public AdminDeathTests()
    {
        var options = new KafkaOptions { ConnectTimeout = Timeout };
        _admin = new AdminConnection(new ClientSettings(options, _broker.BootstrapServers, embedded: true), new KafkaDiagnostics());
        _topics = new KafkaTopics(_admin, options, new KafkaDiagnostics(), _broker);
        _broker.CreateTopic("orders", 2);
    }

    [Fact, Trait("Promise", "S3")]
    public async Task After_the_client_died_a_probe_and_a_look_at_topics_and_a_call_are_answered_by_the_next_one()
    {
        (await _admin.ProbeAsync(Timeout, default)).Should().BeTrue();

        await KillAsync();
        (await _admin.ProbeAsync(Timeout, default)).Should().BeTrue("the first death is followed by a new client at once");
        await KillAsync();
        await Waiting.Until(() => Answers(() => _topics.GetPartitionCountsAsync(["orders"])), "topics to be described");
        await KillAsync();
        await Waiting.Until(() => Answers(() => _topics.GetCommittedOffsetsAsync("g", "orders")), "offsets to be read");
    }

    [Fact]
    public void Clients_that_die_one_after_the_other_are_built_ever_more_slowly()
    {
        var time = new ManualTime();
        var deaths = new ClientDeaths(time);
        deaths.Wait.Should().Be(TimeSpan.Zero);
        deaths.Add(time.GetTimestamp());
        deaths.Wait.Should().BeLessThanOrEqualTo(TimeSpan.Zero, "a single death is no row of them");
        foreach (var seconds in (double[])[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
        {
            deaths.Add(time.GetTimestamp());
            deaths.Wait.Should().Be(TimeSpan.FromSeconds(seconds));
        }

        var built = time.GetTimestamp();
        time.Advance(TimeSpan.FromSeconds(30));
        deaths.Wait.Should().BeLessThanOrEqualTo(TimeSpan.Zero);
        deaths.Add(built);
        deaths.Wait.Should().BeLessThanOrEqualTo(TimeSpan.Zero, "that one had lived");
    }

    [Fact]
    public async Task A_disposed_connection_builds_no_client_any_more()
    {
        await _admin.DisposeAsync();
        (await _admin.ProbeAsync(Timeout, default)).Should().BeFalse();
        await _topics.Awaiting(topics => topics.GetPartitionCountsAsync(["orders"])).Should().ThrowAsync<ObjectDisposedException>();
    }

    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync();
        _broker.Dispose();
    }

    private async Task KillAsync()
    {
        try
        {
            await _admin.CallAsync(
                client =>
                {
                    client.Dispose();
                    return Task.FromResult(true);
                },
                Timeout,
                default);
        }
        catch (KafkaException)
        {
            // between two clients: dead already
        }
    }

    private static bool Answers<T>(Func<Task<T>> ask)
    {
        try
        {
            ask().GetAwaiter().GetResult();
            return true;
        }
        catch (KafkaTopicException)
        {
            return false;
        }
    }
}
