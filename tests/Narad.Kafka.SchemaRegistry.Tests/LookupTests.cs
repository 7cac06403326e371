using System.Collections.Concurrent;
using Avro;
using Avro.Generic;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Microsoft.Extensions.Time.Testing;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>What is asked of the registry, and how often.</summary>
public sealed class LookupTests
{
    private const string Login = """{"type":"record","name":"Login","fields":[{"name":"user","type":"string"}]}""";

    [Fact]
    public async Task Many_messages_with_an_unknown_id_ask_once_until_the_answer_is_old()
    {
        await using var registry = new FakeRegistry();
        var time = new FakeTimeProvider();
        using var schemas = Create(registry, time, static one => one.WithSchema<Order>());
        var message = ConsumingTests.Frame(1, """{"id":"1","total":2}""");
        var read = async () => await ReadAsync<Order>(schemas, message);

        for (var i = 0; i < 100; i++)
        {
            (await read.Should().ThrowAsync<MessageDeserializationException>()).WithMessage("*has no schema 1*");
        }

        registry.RequestsOf("/schemas/ids/1").Should().Be(1);
        registry.Add("t-value", """{"type":"object"}""");
        await read.Should().ThrowAsync<MessageDeserializationException>("the answer is still fresh");
        time.Advance(TimeSpan.FromSeconds(1));
        (await ReadAsync<Order>(schemas, message)).Id.Should().Be("1");
        registry.RequestsOf("/schemas/ids/1").Should().Be(2);
    }

    [Fact]
    public async Task The_memory_of_unknown_ids_is_bounded()
    {
        var looked = new ConcurrentDictionary<int, int>();
        var lookups = new SharedLookups<int, string>(
            id =>
            {
                looked.AddOrUpdate(id, 1, static (_, times) => times + 1);
                return id == -1 ? Task.FromResult("known") : throw new UnknownSchemaException("no");
            },
            new FakeTimeProvider(),
            TimeSpan.FromMinutes(1));
        await lookups.GetAsync(-1);

        for (var id = 0; id <= 1_000; id++)
        {
            await lookups.Invoking(one => one.GetAsync(id)).Should().ThrowAsync<UnknownSchemaException>();
        }

        await lookups.Invoking(one => one.GetAsync(0)).Should().ThrowAsync<UnknownSchemaException>();
        looked[0].Should().Be(2, "the thousand and first unknown id made it forget them all");
        (await lookups.GetAsync(-1)).Should().Be("known");
        looked[-1].Should().Be(1);
    }

    [Fact]
    public async Task A_schema_may_refer_to_schemas_of_other_subjects()
    {
        await using var registry = new FakeRegistry();
        using var schemas = Create(registry, TimeProvider.System, static one => one.WithSchema<Order>());
        registry.Add("limits", """{"type":"number","maximum":100}""");
        registry.Add("money", """{"$ref":"limits.json"}""", more: """{"references":[{"name":"limits.json","subject":"limits","version":1}]}""");
        var id = registry.Add("t-value", """{"type":"object","properties":{"total":{"$ref":"money.json"}}}""",
            more: """{"references":[{"name":"money.json","subject":"money","version":1}]}""");

        var write = async () => await schemas.SerializeAsync(new Order("1", 5_000), typeof(Order), "t", [], CancellationToken.None);
        var read = async () => await ReadAsync<Order>(schemas, ConsumingTests.Frame(id, """{"id":"1","total":5000}"""));

        (await write.Should().ThrowAsync<SchemaValidationException>()).Which.Paths.Should().Equal("/total (maximum)");
        (await read.Should().ThrowAsync<MessageDeserializationException>()).WithMessage("*/total (maximum)*");
        (await ReadAsync<Order>(schemas, ConsumingTests.Frame(id, """{"id":"1","total":50}"""))).Total.Should().Be(50);
    }

    [Fact]
    public async Task One_subscription_may_use_the_registry_while_the_service_does_not()
    {
        await using var registry = new FakeRegistry();
        await using var kafka = new Narad.Kafka.Testing.EmbeddedKafka();
        var topic = kafka.CreateTopic(partitions: 1);
        using var schemas = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = registry.Url, Timeout = TimeSpan.FromMinutes(1) })
            .WithSchema<Order>(topic);
        var id = registry.Add($"{topic}-value", """{"type":"object"}""");
        var options = new KafkaOptions();
        kafka.Apply(options);
        await using var service = new KafkaService(options);
        await service.Init().ConnectProducerAsync();
        await service.ConnectConsumerAsync("billing");
        var received = new TaskCompletionSource<Order>(TaskCreationOptions.RunContinuationsAsynchronously);
        await service.SubscribeAsync<Order>(
            topic, (order, _, _) => Task.FromResult(received.TrySetResult(order)), "billing", o => o.Deserializer = schemas);

        await service.SendAsync(topic, ConsumingTests.Frame(id, """{"id":"7","total":1}"""), "k");

        (await received.Task.WaitAsync(TimeSpan.FromSeconds(60))).Id.Should().Be("7");
    }

    [Theory]
    [InlineData(RegistryFault.ServerError)]
    [InlineData(RegistryFault.Html)]
    [InlineData(RegistryFault.Hangs)]
    public async Task Avro_messages_with_a_known_schema_go_on_while_the_registry_is_unavailable_and_others_wait(RegistryFault fault)
    {
        await using var registry = new FakeRegistry();
        var (known, unknown) = (registry.Add("t-value", Login, "AVRO"), registry.Add("other", Login, "AVRO"));
        var time = new FakeTimeProvider();
        using var schemas = Create(registry, time, WithAvro, fault is RegistryFault.Hangs ? 2 : 60);
        var bytes = await RetriedAsync(time, () => WriteAsync(schemas, "t"));
        await RetriedAsync(time, () => ReadAsync<GenericRecord>(schemas, bytes));

        registry.Fault = fault;
        var read = async () => await ReadAsync<GenericRecord>(schemas, [0, 0, 0, 0, (byte)unknown, .. bytes[5..]]);
        var write = async () => await WriteAsync(schemas, "another-topic");

        await read.Should().ThrowAsync<SerializationUnavailableException>();
        await write.Should().ThrowAsync<SerializationUnavailableException>();
        (await ReadAsync<GenericRecord>(schemas, bytes))["user"].Should().Be("ada");
        (await WriteAsync(schemas, "t")).Should().StartWith([0, 0, 0, 0, (byte)known]);

        registry.Fault = RegistryFault.None;
        (await RetriedAsync(time, async () => await read.Invoke()))["user"].Should().Be("ada");
    }

    [Fact]
    public async Task Avro_poison_and_missing_subjects_are_explained()
    {
        await using var registry = new FakeRegistry();
        using var schemas = Create(registry, TimeProvider.System, WithAvro);

        (await schemas.Invoking(one => ReadAsync<GenericRecord>(one, [0, 0, 1])).Should().ThrowAsync<MessageDeserializationException>())
            .WithMessage("*it has 3 bytes*");
        (await schemas.Invoking(one => ReadAsync<GenericRecord>(one, ConsumingTests.Frame(17, "x"))).Should().ThrowAsync<MessageDeserializationException>())
            .WithMessage("*has no schema 17*");
        (await schemas.Invoking(one => WriteAsync(one, "t")).Should().ThrowAsync<SchemaMismatchException>())
            .Which.Message.Should().Contain("has no schema under subject 't-value'").And.NotContain("40401");
    }

    private static void WithAvro(KafkaSchemaRegistry registry) => registry.WithSerdes<GenericRecord>(
        static client => new AvroSerializer<GenericRecord>(client, new AvroSerializerConfig { AutoRegisterSchemas = false, UseLatestVersion = true }),
        static client => new AvroDeserializer<GenericRecord>(client));

    private static KafkaSchemaRegistry Create(FakeRegistry registry, TimeProvider time, Action<KafkaSchemaRegistry> declare, int timeoutSeconds = 60)
    {
        var schemas = new KafkaSchemaRegistry(
            new SchemaRegistryOptions
            {
                Url = registry.Url, Timeout = TimeSpan.FromSeconds(timeoutSeconds), Registration = SchemaRegistration.UseLatestVersion,
            },
            time);
        declare(schemas);
        new KafkaOptions().UseSchemaRegistry(schemas);
        return schemas;
    }

    // A slow machine may need more than one look-up.
    private static async Task<T> RetriedAsync<T>(FakeTimeProvider time, Func<Task<T>> action)
    {
        T result = default!;
        await RegistryHost.Until(
            async () =>
            {
                try
                {
                    result = await action();
                    return true;
                }
                catch (SerializationUnavailableException)
                {
                    time.Advance(TimeSpan.FromSeconds(1));
                    return false;
                }
            },
            "the registry answers");
        return result;
    }

    private static async Task<T> ReadAsync<T>(KafkaSchemaRegistry schemas, byte[] bytes) =>
        (T)(await schemas.DeserializeAsync(bytes, typeof(T), new MessageContext { Topic = "t" }, CancellationToken.None))!;

    private static async Task<byte[]> WriteAsync(KafkaSchemaRegistry schemas, string topic)
    {
        var login = new GenericRecord((RecordSchema)Avro.Schema.Parse(Login));
        login.Add("user", "ada");
        return await schemas.SerializeAsync(login, typeof(GenericRecord), topic, [], CancellationToken.None);
    }
}
