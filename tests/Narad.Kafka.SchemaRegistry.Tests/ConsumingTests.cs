using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>Reading messages with schemas: what is poison, and what waits.</summary>
public sealed class ConsumingTests
{
    private const string Schema = """{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"id":{"type":"string"},"total":{"type":"number","minimum":0},"note":{"type":["string","null"]}},"required":["id","total"]}""";

    [Fact]
    public async Task Handlers_by_type_read_messages_with_schemas_and_a_route_writes_them()
    {
        await using var server = new FakeRegistry();
        using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = server.Url, Registration = SchemaRegistration.Register })
            .WithSchema<Named>();
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, CommitInterval = TimeSpan.FromMilliseconds(50) };
        options.Routes.Add<Named>("named", route => route.Serializer = registry);
        await registry.StartAsync();
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        var seen = new ConcurrentQueue<string>();
        await kafka.SubscribeByTypeAsync(
            "named",
            types => types
                .On<Named>("A", (named, context, _) =>
                {
                    seen.Enqueue($"{named.Id} {context.RawValue!.Value.Span[0]}");
                    return Task.CompletedTask;
                })
                .Otherwise((unknown, _, _) =>
                {
                    seen.Enqueue($"other {unknown.Type}");
                    return Task.CompletedTask;
                }),
            configure: o => (o.Deserializer, o.Order) = (registry, MessageOrder.ByPartition));
        var partition = new SendOptions { Partition = 0 };

        await kafka.SendAsync(new Named("B", "1"), options: partition);
        await kafka.SendAsync(new Named("A", "2"), options: partition);

        await RegistryHost.Until(() => Task.FromResult(seen.Count == 2), "both are handled");
        seen.Should().Equal("other B", "2 0");
    }

    public sealed record Named(string Type, string Id);

    public static TheoryData<string, string> Poison => new()
    {
        { "three bytes", "it has 3 bytes" },
        { "magic byte", "its first byte is 1" },
        { "plain JSON", "its first byte is 123" },
        { "unknown id", "has no schema 4711" },
        { "no JSON", "it is not JSON that fits" },
        { "does not fit", "/total (minimum)" },
    };

    [Theory]
    [MemberData(nameof(Poison))]
    [Trait("Promise", "S24")]
    public async Task What_cannot_be_read_becomes_a_dead_letter_at_once_byte_for_byte(string kind, string reason)
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>());
        var id = registry.Add($"{host.Topic}-value", Schema);
        var bytes = kind switch
        {
            "three bytes" => [0, 0, 1],
            "magic byte" => Frame(id, """{"id":"1","total":1}""", magic: 1),
            "plain JSON" => Encoding.UTF8.GetBytes("""{"id":"1","total":1}"""),
            "unknown id" => Frame(4711, """{"id":"1","total":1}"""),
            "no JSON" => Frame(id, "{"),
            _ => Frame(id, """{"id":"1","total":-987}"""),
        };
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        var handled = 0;
        await host.Kafka.SubscribeAsync<Order>("orders", (_, _, _) => Task.FromResult(Interlocked.Increment(ref handled)), "billing", static o =>
        {
            o.DeadLetter.Enabled = true;
            o.Retry.InMemory.MaxAttempts = 5;
        });

        await host.Kafka.SendAsync("orders", bytes, "k");

        DeadLetter? dead = null;
        await RegistryHost.Until(async () => (dead = (await host.Kafka.DeadLetters.GetPageAsync($"{host.Topic}-dlt")).Items.SingleOrDefault()) is not null,
            "the dead letter is there");
        dead!.Value!.Value.ToArray().Should().Equal(bytes);
        dead.ExceptionMessage.Should().Contain(reason).And.NotContain("987");
        handled.Should().Be(0);
    }

    [Theory]
    [InlineData(RegistryFault.ServerError)]
    [InlineData(RegistryFault.Html)]
    [InlineData(RegistryFault.EmptyObject)]
    [InlineData(RegistryFault.OtherNotFound)]
    [InlineData(RegistryFault.Unauthorized)]
    [InlineData(RegistryFault.Hangs)]
    public async Task While_the_registry_is_unavailable_a_new_schema_waits_and_known_ones_go_on(RegistryFault fault)
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>(), o =>
            o.Timeout = TimeSpan.FromSeconds(fault is RegistryFault.Hangs ? 1 : 60));
        var known = registry.Add($"{host.Topic}-value", Schema);
        var unknown = registry.Add("another", Schema);
        var handled = new ConcurrentQueue<(string Id, int Attempt)>();
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Order>(
            "orders",
            (order, context, _) =>
            {
                handled.Enqueue((order.Id, context.Attempt));
                return Task.CompletedTask;
            },
            "billing",
            static o =>
            {
                o.DeadLetter.Enabled = true;
                o.Timeout = TimeSpan.FromMilliseconds(300);   // shorter than the registry's: that is no failure of the message
            });
        await host.Kafka.SendAsync("orders", Frame(known, """{"id":"first","total":1}"""), "a");
        await RegistryHost.Until(() => !handled.IsEmpty, "the schema is known");

        registry.Fault = fault;
        await host.Kafka.SendAsync("orders", Frame(unknown, """{"id":"waits","total":1}"""), "b");
        await host.Kafka.SendAsync("orders", Frame(unknown, """{"id":"behind it","total":1}"""), "b");
        await host.Kafka.SendAsync("orders", Frame(known, """{"id":"second","total":1}"""), "a");

        await RegistryHost.Until(() => handled.Count == 2, "what has a known schema is handled");
        HealthReport health = null!;
        await RegistryHost.Until(async () => (health = await host.HealthAsync()).Status is not HealthStatus.Healthy, "health says that messages wait");
        health.Entries.Values.Single().Description.Should().Contain("waits, because messages cannot be read: The schema registry").And.Contain(
            $"{host.Topic}[0]");
        handled.Select(static message => message.Id).Should().Equal("first", "second");

        registry.Fault = RegistryFault.None;
        await RegistryHost.Until(() => handled.Count == 4, "it resumes by itself");
        handled.Should().Equal(("first", 1), ("second", 1), ("waits", 1), ("behind it", 1));
        await RegistryHost.Until(async () => (await host.HealthAsync()).Status is HealthStatus.Healthy, "health recovers");
        (await host.Kafka.DeadLetters.CountAsync($"{host.Topic}-dlt")).Should().Be(0);
    }

    [Fact]
    public async Task A_registry_that_nobody_runs_makes_messages_wait()
    {
        var gone = new FakeRegistry();
        var url = gone.Url;
        await gone.DisposeAsync();
        await using var host = new RegistryHost(url, static kafka => kafka.WithSchema<Order>());
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Order>("orders", static (_, _, _) => Task.CompletedTask, "billing", static o => o.DeadLetter.Enabled = true);

        await host.Kafka.SendAsync("orders", Frame(1, "{}"), "k");

        await RegistryHost.Until(async () =>
            (await host.HealthAsync()).Entries.Values.Single().Description?.Contains("could not be reached", StringComparison.Ordinal) is true,
            "health says why");
        (await host.Kafka.DeadLetters.CountAsync($"{host.Topic}-dlt")).Should().Be(0);
    }

    [Fact]
    public async Task A_batch_ends_before_a_message_that_waits()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>());
        var known = registry.Add($"{host.Topic}-value", Schema);
        var unknown = registry.Add("another", Schema);
        var handled = new ConcurrentQueue<string>();
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeBatchAsync<Order>(
            "orders",
            (batch, _) =>
            {
                foreach (var item in batch.Items)
                {
                    handled.Enqueue(item.Message.Id);
                }

                return Task.CompletedTask;
            },
            "billing");
        await host.Kafka.SendAsync("orders", Frame(known, """{"id":"1","total":1}"""), "a");
        await RegistryHost.Until(() => !handled.IsEmpty, "the schema is known");
        registry.Fault = RegistryFault.ServerError;
        await host.Kafka.SendAsync("orders", Frame(known, """{"id":"2","total":1}"""), "a");
        await host.Kafka.SendAsync("orders", Frame(unknown, """{"id":"3","total":1}"""), "a");

        await RegistryHost.Until(() => handled.Count == 2, "what comes before it is handled");
        await RegistryHost.Until(async () => (await host.HealthAsync()).Status is not HealthStatus.Healthy, "health says that a message waits");
        registry.Fault = RegistryFault.None;

        await RegistryHost.Until(() => handled.Count == 3, "it resumes");
        handled.Should().Equal("1", "2", "3");
    }

    [Fact]
    public async Task Retried_messages_keep_their_bytes_and_dead_letters_can_be_read_as_the_type_and_as_JSON()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders"));
        registry.Add($"{host.Topic}-value", Schema);
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        var seen = new ConcurrentQueue<(int Retry, byte[] Bytes)>();
        await host.Kafka.SubscribeAsync<Order>(
            "orders",
            (_, context, _) =>
            {
                seen.Enqueue((context.Retry, context.RawValue!.Value.ToArray()));
                throw new InvalidOperationException("cannot be billed");
            },
            "billing",
            static o =>
            {
                o.Retry.AllowReorder = true;
                o.Retry.Topic.MaxAttempts = 1;
                o.Retry.Topic.Delay = TimeSpan.FromMilliseconds(1);
                o.DeadLetter.Enabled = true;
            });

        await host.Kafka.SendAsync("orders", new Order("7", 12.5m), "k");

        DeadLetter? dead = null;
        await RegistryHost.Until(async () => (dead = (await host.Kafka.DeadLetters.GetPageAsync($"{host.Topic}-dlt")).Items.SingleOrDefault()) is not null,
            "the dead letter is there");
        seen.Select(static message => message.Retry).Should().Equal(0, 1);
        seen.Should().AllSatisfy(message => message.Bytes.Should().Equal(dead!.Value!.Value.ToArray()));
        (await dead!.ReadAsync<Order>()).Should().Be(new Order("7", 12.5m));
        (await dead.ReadAsync<JsonElement>()).GetProperty("total").GetDecimal().Should().Be(12.5m);

        await host.Kafka.DeadLetters.RedriveAsync(dead);
        await RegistryHost.Until(() => seen.Count == 4, "it is handled again, and its retry");
        seen.Should().AllSatisfy(message => message.Bytes.Should().Equal(dead.Value!.Value.ToArray()));
    }

    [SkippableFact]
    public async Task A_transactional_subscription_waits_while_the_registry_is_away()
    {
        var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
        Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
        var topic = $"narad-test-schemas-{Guid.CreateVersion7():n}";
        using (var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = brokers }).SetLogHandler((_, _) => { }).Build())
        {
            await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1 }]);
        }

        await using var registry = new FakeRegistry();
        var id = registry.Add($"{topic}-value", Schema);
        using var schemas = new KafkaSchemaRegistry(
            new SchemaRegistryOptions { Url = registry.Url, Timeout = TimeSpan.FromMinutes(1), RetryDelay = TimeSpan.FromMilliseconds(50) })
            .WithSchema<Order>(topic);
        await using var kafka = new KafkaService(
            new KafkaOptions
            {
                Brokers = brokers!, ConnectTimeout = TimeSpan.FromMinutes(1), Environment = "Production", TopicCreation = TopicCreation.IfMissing,
            }.UseSchemaRegistry(schemas));
        await kafka.Init().ConnectProducerAsync();
        registry.Fault = RegistryFault.ServerError;
        await kafka.SendAsync(topic, Frame(id, """{"id":"1","total":1}"""), "k");
        await kafka.SendAsync(topic, Frame(id, """{"id":"2","total":1}"""), "k");
        var handled = new ConcurrentQueue<(string Id, int Attempt)>();
        await kafka.ConnectConsumerAsync($"{topic}-group");
        await kafka.SubscribeAsync<Order>(
            topic,
            (order, context, _) =>
            {
                handled.Enqueue((order.Id, context.Attempt));
                return Task.CompletedTask;
            },
            $"{topic}-group",
            static o =>
            {
                o.ExactlyOnce.Enabled = true;
                o.ExactlyOnce.InstanceName = "1";
                o.DeadLetter.Enabled = true;
            });
        await RegistryHost.Until(() => registry.Requests.Count() > 5, "it asks again and again");
        handled.Should().BeEmpty();

        registry.Fault = RegistryFault.None;

        await RegistryHost.Until(() => handled.Count >= 2, "it resumes");
        handled.Should().Equal(("1", 1), ("2", 1));
        (await kafka.DeadLetters.CountAsync($"{topic}-dlt")).Should().Be(0);
    }

    internal static byte[] Frame(int id, string json, byte magic = 0)
    {
        var bytes = new byte[5 + Encoding.UTF8.GetByteCount(json)];
        bytes[0] = magic;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), id);
        Encoding.UTF8.GetBytes(json, bytes.AsSpan(5));
        return bytes;
    }
}
