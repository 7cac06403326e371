using Avro;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Google.Protobuf;
using Timestamp = Google.Protobuf.WellKnownTypes.Timestamp;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>With the registry that NARAD_TEST_REGISTRY names.</summary>
public sealed class RealRegistryTests
{
    private static string Url
    {
        get
        {
            var url = Environment.GetEnvironmentVariable("NARAD_TEST_REGISTRY");
            Skip.If(string.IsNullOrEmpty(url), "NARAD_TEST_REGISTRY names no schema registry.");
            return url!;
        }
    }

    [SkippableFact]
    public async Task What_is_sent_is_read_by_Confluents_deserializer_and_the_other_way_round()
    {
        var subject = $"narad-test-{Guid.CreateVersion7():n}";
        await using var host = new RegistryHost(Url, kafka => kafka.WithSchema<Order>("orders", subject), static o =>
            o.Registration = SchemaRegistration.Register);
        await host.Host.StartAsync();
        var context = new SerializationContext(MessageComponentType.Value, host.Topic);
        var received = new System.Collections.Concurrent.ConcurrentQueue<(Order Order, byte[] Bytes)>();
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Order>(
            "orders",
            (order, message, _) =>
            {
                received.Enqueue((order, message.RawValue!.Value.ToArray()));
                return Task.CompletedTask;
            },
            "billing");

        await host.Kafka.SendAsync("orders", new Order("1", 2.5m), "k");
        await RegistryHost.Until(() => received.Count == 1, "it arrives");
        var theirs = await new JsonDeserializer<ClassicOrder>(host.Registry.Client).DeserializeAsync(received.First().Bytes, isNull: false, context);
        theirs.Should().BeEquivalentTo(new { id = "1", total = 2.5m });

        var serializer = new JsonSerializer<ClassicOrder>(host.Registry.Client, new JsonSerializerConfig { SubjectNameStrategy = SubjectNameStrategy.Topic });
        await host.Kafka.SendAsync("orders", await serializer.SerializeAsync(new ClassicOrder { id = "2", total = 3 }, context), "k");
        await RegistryHost.Until(() => received.Count == 2, "it arrives");
        received.Last().Order.Should().Be(new Order("2", 3));
    }

    [SkippableFact]
    public async Task A_second_start_uses_what_is_registered_and_a_type_that_does_not_fit_is_refused()
    {
        var subject = $"narad-test-{Guid.CreateVersion7():n}";
        await using (var first = new RegistryHost(Url, kafka => kafka.WithSchema<Order>("orders", subject), static o =>
            o.Registration = SchemaRegistration.Register))
        {
            await first.Host.StartAsync();
        }

        await using (var second = new RegistryHost(Url, kafka => kafka.WithSchema<Order>("orders", subject)))
        {
            await second.Host.StartAsync();
            (await second.Kafka.SendAsync("orders", new Order("1", 2), "k")).Offset.Should().Be(0);
        }

        await using var other = new RegistryHost(Url, kafka => kafka.WithSchema<NumberedOrder>("orders", subject));
        var start = () => other.Host.StartAsync();
        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should().Contain(subject).And.Contain(
            "/id: the type writes integer, and the registered schema has string");
    }

    [SkippableTheory]
    [InlineData(SchemaRegistration.Register)]
    [InlineData(SchemaRegistration.UseLatestVersion)]
    public async Task Confluents_JSON_serializer_sends_and_receives(SchemaRegistration registration)
    {
        var subject = $"narad-test-{Guid.CreateVersion7():n}";
        if (registration is SchemaRegistration.UseLatestVersion)
        {
            using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = Url, Timeout = TimeSpan.FromMinutes(1) });
            await registry.Client.RegisterSchemaAsync(subject, new Confluent.SchemaRegistry.Schema(
                """{"$schema":"http://json-schema.org/draft-07/schema#","description":"by hand","properties":{"total":{"type":"number","maximum":10},"id":{"type":"string"}}}""",
                SchemaType.Json));
        }

        await using var host = new RegistryHost(
            Url,
            kafka => kafka.WithSchema<ClassicOrder>("orders", subject, static schema => schema.UseConfluentSerializer()),
            o => o.Registration = registration);
        await host.Host.StartAsync();
        var received = new TaskCompletionSource<ClassicOrder>(TaskCreationOptions.RunContinuationsAsynchronously);
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<ClassicOrder>("orders", (order, _, _) => Task.FromResult(received.TrySetResult(order)), "billing");

        await host.Kafka.SendAsync("orders", new ClassicOrder { id = "1", total = 2.5m }, "k");

        (await received.Task.WaitAsync(TimeSpan.FromSeconds(60))).Should().BeEquivalentTo(new { id = "1", total = 2.5m });
    }

    [SkippableFact]
    public async Task An_id_that_the_registry_does_not_know_is_poison()
    {
        using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = Url, Timeout = TimeSpan.FromMinutes(1) }).WithSchema<Order>();
        new KafkaOptions().UseSchemaRegistry(registry);

        var read = async () => await registry.DeserializeAsync(ConsumingTests.Frame(int.MaxValue, "{}"), typeof(Order), new MessageContext { Topic = "t" },
            CancellationToken.None);

        (await read.Should().ThrowAsync<MessageDeserializationException>()).WithMessage("*has no schema 2147483647*");
    }

    [SkippableFact]
    public async Task Confluents_Avro_serializers_share_the_registry()
    {
        var schema = (RecordSchema)Avro.Schema.Parse("""{"type":"record","name":"Login","fields":[{"name":"user","type":"string"}]}""");
        await using var host = new RegistryHost(Url, static kafka => kafka.WithSerdes<GenericRecord>(
            static registry => new AvroSerializer<GenericRecord>(registry, new AvroSerializerConfig { SubjectNameStrategy = SubjectNameStrategy.Topic }),
            static registry => new AvroDeserializer<GenericRecord>(registry)));
        await host.Host.StartAsync();
        var received = new TaskCompletionSource<GenericRecord>(TaskCreationOptions.RunContinuationsAsynchronously);
        await host.Kafka.ConnectConsumerAsync("logins");
        await host.Kafka.SubscribeAsync<GenericRecord>("orders", (record, _, _) => Task.FromResult(received.TrySetResult(record)), "logins");

        var login = new GenericRecord(schema);
        login.Add("user", "ada");
        await host.Kafka.SendAsync("orders", login, "k");

        (await received.Task.WaitAsync(TimeSpan.FromSeconds(60)))["user"].Should().Be("ada");
    }

    [SkippableFact]
    public async Task Protobuf_serializers_share_the_registry()
    {
        await using var host = new RegistryHost(Url, static kafka =>
            kafka.WithSerdes<Timestamp>(static registry => new ProtobufSerde(registry), static registry => new ProtobufSerde(registry)));
        await host.Host.StartAsync();
        var received = new TaskCompletionSource<Timestamp>(TaskCreationOptions.RunContinuationsAsynchronously);
        await host.Kafka.ConnectConsumerAsync("times");
        await host.Kafka.SubscribeAsync<Timestamp>("orders", (time, _, _) => Task.FromResult(received.TrySetResult(time)), "times");

        await host.Kafka.SendAsync("orders", new Timestamp { Seconds = 17 }, "k");

        (await received.Task.WaitAsync(TimeSpan.FromSeconds(60))).Seconds.Should().Be(17);
    }

    public sealed record NumberedOrder(int Id, decimal Total);

    /// <summary>As Confluent's JSON serializer, which is Newtonsoft's, writes it.</summary>
#pragma warning disable SA1300, IDE1006 // The names are those of the JSON.
    public sealed class ClassicOrder
    {
        public string id { get; set; } = "";

        public decimal total { get; set; }
    }
#pragma warning restore SA1300, IDE1006

    /// <summary>What Confluent's Protobuf serializers do for one message type: the frame, the message's index in its file (0), the message.</summary>
    private sealed class ProtobufSerde(ISchemaRegistryClient registry) : IAsyncSerializer<Timestamp>, IAsyncDeserializer<Timestamp>
    {
        private const string File = """syntax = "proto3"; message Timestamp { int64 seconds = 1; int32 nanos = 2; }""";

        public async Task<byte[]> SerializeAsync(Timestamp data, SerializationContext context)
        {
            var id = await registry.RegisterSchemaAsync($"{context.Topic}-value-{Guid.CreateVersion7():n}",
                new Confluent.SchemaRegistry.Schema(File, SchemaType.Protobuf));
            return [.. SchemaFrame.Write(id, [0]), .. data.ToByteArray()];
        }

        public async Task<Timestamp> DeserializeAsync(ReadOnlyMemory<byte> data, bool isNull, SerializationContext context)
        {
            (await registry.GetSchemaAsync(SchemaFrame.IdOf(data))).Should().NotBeNull();
            return Timestamp.Parser.ParseFrom(data.Span[(SchemaFrame.Length + 1)..]);
        }
    }
}
