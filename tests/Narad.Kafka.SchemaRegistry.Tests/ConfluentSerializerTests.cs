using System.Text;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>Confluent's own JSON serializer behind the same rules as the default one.</summary>
public sealed class ConfluentSerializerTests
{
    private const string ByHand = """
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "$defs": { "money": { "type": "number", "maximum": 1000 } },
          "description": "What a customer ordered",
          "properties": { "total": { "$ref": "#/$defs/money" }, "order_id": { "type": "string", "minLength": 1 } },
          "required": ["order_id"],
          "type": "object"
        }
        """;

    public static TheoryData<string, string> Poison => new()
    {
        { "three bytes", "it has 3 bytes" },
        { "magic byte", "its first byte is 1" },
        { "unknown id", "has no schema 4711" },
        { "no JSON", "it is not JSON" },
        { "does not fit", "/total (maximum)" },
    };

    [Fact]
    public async Task Messages_are_written_and_read_with_Newtonsofts_attributes_and_the_schema_of_the_named_subject()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka =>
            kafka.WithSchema<Purchase>("orders", "purchases", static schema => schema.UseConfluentSerializer()));
        registry.Add("other", "{}");
        var id = registry.Add("purchases", ByHand);
        await host.Host.StartAsync();
        var received = new TaskCompletionSource<(Purchase Message, byte[] Bytes)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Purchase>(
            "orders", (message, context, _) => Task.FromResult(received.TrySetResult((message, context.RawValue!.Value.ToArray()))), "billing");

        await host.Kafka.SendAsync("orders", new Purchase { Number = "1", Total = 3 }, "k");

        var (message, bytes) = await received.Task.WaitAsync(TimeSpan.FromSeconds(60));
        bytes.Should().Equal([0, 0, 0, 0, (byte)id, .. Encoding.UTF8.GetBytes("""{"order_id":"1","total":3.0}""")]);
        message.Should().BeEquivalentTo(new Purchase { Number = "1", Total = 3 });
        registry.Count.Should().Be(2, "nothing is registered");
        registry.Requests.Should().NotContain(head => head.Contains("/associations", StringComparison.Ordinal), "the subject is known");
    }

    [Fact]
    public async Task A_value_that_does_not_fit_fails_its_send_with_the_paths_before_anything_is_sent()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka =>
            kafka.WithSchema<Purchase>("orders", configure: static schema => schema.UseConfluentSerializer()));
        registry.Add($"{host.Topic}-value", ByHand);
        await host.Host.StartAsync();

        var send = async () => await host.Kafka.SendAsync("orders", new Purchase { Number = "", Total = 5_000 }, "k");

        var thrown = (await send.Should().ThrowAsync<KafkaSendException>()).Which;
        thrown.InnerException.Should().BeOfType<SchemaValidationException>().Which.Paths.Should().BeEquivalentTo(
            "/order_id (minLength)", "/total (maximum)");
        thrown.Retriable.Should().BeFalse();
        thrown.Message.Should().NotContain("5000");
        (await host.Kafka.SendAsync("orders", new Purchase { Number = "1" }, "k")).Offset.Should().Be(0, "the failed one was not written");
    }

    [Fact]
    public async Task In_development_the_schema_that_Confluent_generates_is_registered_once()
    {
        await using var registry = new FakeRegistry();
        for (var i = 0; i < 2; i++)
        {
            await using var host = new RegistryHost(
                registry.Url,
                static kafka => kafka.WithSchema<Purchase>("orders", "purchases", static schema => schema.UseConfluentSerializer()),
                environment: "Development");
            await host.Host.StartAsync();
            (await host.Kafka.SendAsync("orders", new Purchase { Number = "1" }, "k")).Offset.Should().Be(0);
            registry.Count.Should().Be(1);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refused_registration_is_told_by_its_code_and_says_how_the_schemas_differ(bool usesConfluent)
    {
        await using var registry = new FakeRegistry { RefusesSchemas = true };
        await using var host = new RegistryHost(
            registry.Url,
            kafka => kafka.WithSchema<Purchase>("orders", "purchases", schema => _ = usesConfluent ? schema.UseConfluentSerializer() : schema),
            environment: "Development");
        registry.Add("purchases", """{"type":"object","properties":{"customer":{"type":"string"}}}""");

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain("refused to register").And.Contain("'purchases'").And.Contain("/customer: the registered schema has it, and the type does not");
    }

    [Fact]
    public async Task A_version_that_is_not_compatible_keeps_the_host_from_starting()
    {
        await using var registry = new FakeRegistry { IsCompatible = false };
        await using var host = new RegistryHost(registry.Url, static kafka =>
            kafka.WithSchema<Purchase>("orders", "purchases", static schema => schema.UseConfluentSerializer()).CheckCompatibility());
        registry.Add("purchases", """{"type":"object","properties":{"customer":{"type":"string"}}}""");

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain("not compatible with the latest schema").And.Contain("/customer: the registered schema has it, and the type does not");
    }

    [Fact]
    public async Task A_subject_without_a_schema_is_named_with_what_was_looked_up()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka =>
            kafka.WithSchema<Purchase>("orders", "purchases", static schema => schema.UseConfluentSerializer()));

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain("Subject 'purchases' has no schema").And.Contain("order_id").And.NotContain("40401");
    }

    [Theory]
    [MemberData(nameof(Poison))]
    public async Task What_cannot_be_read_is_the_messages_fault(string kind, string reason)
    {
        await using var registry = new FakeRegistry();
        using var schemas = Create(registry);
        var id = registry.Add("t-value", ByHand);
        var bytes = kind switch
        {
            "three bytes" => [0, 0, 1],
            "magic byte" => ConsumingTests.Frame(id, """{"order_id":"1","total":1}""", magic: 1),
            "unknown id" => ConsumingTests.Frame(4711, """{"order_id":"1","total":1}"""),
            "no JSON" => ConsumingTests.Frame(id, "{"),
            _ => ConsumingTests.Frame(id, """{"order_id":"1","total":9870}"""),
        };

        var read = async () => await ReadAsync(schemas, bytes);

        (await read.Should().ThrowAsync<Exception>()).Which.Should().NotBeOfType<SerializationUnavailableException>()
            .And.Match<Exception>(error => kind == "no JSON" || error is MessageDeserializationException)
            .And.Match<Exception>(error => kind == "no JSON" || error.Message.Contains(reason, StringComparison.Ordinal))
            .And.Match<Exception>(error => !error.Message.Contains("9870", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(RegistryFault.ServerError)]
    [InlineData(RegistryFault.Html)]
    [InlineData(RegistryFault.EmptyObject)]
    [InlineData(RegistryFault.OtherNotFound)]
    [InlineData(RegistryFault.Unauthorized)]
    [InlineData(RegistryFault.Hangs)]
    public async Task While_the_registry_is_unavailable_known_schemas_go_on_and_new_ones_wait(RegistryFault fault)
    {
        await using var registry = new FakeRegistry();
        using var schemas = Create(registry, o => o.Timeout = TimeSpan.FromSeconds(fault is RegistryFault.Hangs ? 2 : 60));
        var known = registry.Add("t-value", ByHand);
        var unknown = registry.Add("other", ByHand);
        await RetriedAsync(async () => await WriteAsync(schemas, "t"));
        (await ReadAsync(schemas, ConsumingTests.Frame(known, """{"order_id":"1"}"""))).Number.Should().Be("1");

        registry.Fault = fault;
        var asked = registry.Requests.Count();
        var read = async () => await ReadAsync(schemas, ConsumingTests.Frame(unknown, """{"order_id":"1"}"""));
        var write = async () => await WriteAsync(schemas, "another-topic");

        await read.Should().ThrowAsync<SerializationUnavailableException>();
        registry.Requests.Count().Should().Be(asked + 1, "it is asked once, and not again after a pause");
        await write.Should().ThrowAsync<SerializationUnavailableException>();
        (await ReadAsync(schemas, ConsumingTests.Frame(known, """{"order_id":"2"}"""))).Number.Should().Be("2");
        (await WriteAsync(schemas, "t")).Should().StartWith([0, 0, 0, 0, (byte)known]);

        registry.Fault = RegistryFault.None;
        await RetriedAsync(async () => (await ReadAsync(schemas, ConsumingTests.Frame(unknown, """{"order_id":"3"}"""))).Number.Should().Be("3"));
    }

    [Fact]
    public async Task Rules_of_the_schema_run_and_messages_are_migrated_to_the_latest_version()
    {
        await using var registry = new FakeRegistry();
        var rules = new RuleRegistry();
        rules.RegisterExecutor(new Shout());
        rules.RegisterExecutor(new Rename());
        using var schemas = Create(registry, configure: schema =>
            schema.UseConfluentSerializer(deserializer: new JsonDeserializerConfig { UseLatestVersion = true }, rules: rules));
        var old = registry.Add("t-value", """{"type":"object","properties":{"number":{"type":"string"}}}""");
        var latest = registry.Add("t-value", """{"type":"object","properties":{"order_id":{"type":"string"},"total":{"type":"number"}}}""", more: """
            { "ruleSet": {
                "domainRules": [{ "name": "shout", "kind": "TRANSFORM", "mode": "WRITE", "type": "SHOUT" }],
                "migrationRules": [{ "name": "rename", "kind": "TRANSFORM", "mode": "UPGRADE", "type": "RENAME" }] } }
            """);

        var written = await WriteAsync(schemas, "t", "abc");
        var migrated = await ReadAsync(schemas, ConsumingTests.Frame(old, """{"number":"17"}"""));

        written.Should().Equal(ConsumingTests.Frame(latest, """{"order_id":"ABC","total":0.0}"""));
        migrated.Number.Should().Be("17");
    }

    [Fact]
    public async Task The_id_may_be_sent_in_a_header()
    {
        await using var registry = new FakeRegistry();
        using var schemas = Create(registry, configure: static schema =>
            schema.UseConfluentSerializer(new JsonSerializerConfig { SchemaIdStrategy = SchemaIdSerializerStrategy.Header }));
        registry.Add("t-value", ByHand);
        var headers = new MessageHeaders();

        var written = await schemas.SerializeAsync(new Purchase { Number = "1" }, typeof(Purchase), "t", headers, CancellationToken.None);
        var read = (Purchase)(await schemas.DeserializeAsync(
            written, typeof(Purchase), new MessageContext { Topic = "t", Headers = headers }, CancellationToken.None))!;
        var forged = new MessageHeaders().Add(headers[0].Name, [1, .. new byte[16]]);
        var readForged = async () => await schemas.DeserializeAsync(
            written, typeof(Purchase), new MessageContext { Topic = "t", Headers = forged }, CancellationToken.None);

        written.Should().Equal("""{"order_id":"1","total":0.0}"""u8.ToArray());
        read.Number.Should().Be("1");
        (await readForged.Should().ThrowAsync<MessageDeserializationException>()).WithMessage("*has no schema 00000000-*");
    }

    public static TheoryData<JsonSerializerConfig, string> DecidedElsewhere => new()
    {
        { new() { AutoRegisterSchemas = true }, "Registration" },
        { new() { UseLatestVersion = true }, "Registration" },
        { new() { LatestCompatibilityStrict = true }, "CheckCompatibility" },
        { new() { UseSchemaId = 1 }, "Registration" },
        { new() { SubjectNameStrategy = SubjectNameStrategy.Associated }, "WithSchema" },
    };

    [Theory]
    [MemberData(nameof(DecidedElsewhere))]
    public void What_is_decided_elsewhere_is_refused_with_the_place(JsonSerializerConfig config, string place)
    {
        using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = "https://r" });
        registry.Invoking(one => one.WithSchema<Purchase>(configure: schema => schema.UseConfluentSerializer(config)))
            .Should().Throw<ArgumentException>().WithMessage($"*{place}*");
    }

    private static KafkaSchemaRegistry Create(FakeRegistry registry, Action<SchemaRegistryOptions>? options = null,
        Action<SchemaOptions<Purchase>>? configure = null)
    {
        var settings = new SchemaRegistryOptions { Url = registry.Url, RetryDelay = TimeSpan.FromMilliseconds(50), Timeout = TimeSpan.FromSeconds(60) };
        options?.Invoke(settings);
        var schemas = new KafkaSchemaRegistry(settings).WithSchema(configure: configure ?? (static schema => schema.UseConfluentSerializer()));
        new KafkaOptions { Environment = "Production" }.UseSchemaRegistry(schemas);
        return schemas;
    }

    private static async Task<Purchase> ReadAsync(KafkaSchemaRegistry schemas, byte[] bytes) =>
        (Purchase)(await schemas.DeserializeAsync(bytes, typeof(Purchase), new MessageContext { Topic = "t" }, CancellationToken.None))!;

    private static async Task<byte[]> WriteAsync(KafkaSchemaRegistry schemas, string topic, string number = "1") =>
        await schemas.SerializeAsync(new Purchase { Number = number }, typeof(Purchase), topic, [], CancellationToken.None);

    // A slow machine may need more than one look-up.
    private static Task RetriedAsync(Func<Task> action) => RegistryHost.Until(
        async () =>
        {
            try
            {
                await action();
                return true;
            }
            catch (SerializationUnavailableException)
            {
                return false;
            }
        },
        "the registry answers");

    public sealed class Purchase
    {
        [JsonProperty("order_id")]
        public string Number { get; set; } = "";

        [JsonProperty("total")]
        public decimal Total { get; set; }
    }

    private sealed class Shout : IRuleExecutor
    {
        public string Type() => "SHOUT";

        public void Configure(IEnumerable<KeyValuePair<string, string>> config, ISchemaRegistryClient? client = null)
        {
        }

        public Task<object> Transform(RuleContext ctx, object message)
        {
            var purchase = (Purchase)message;
            purchase.Number = purchase.Number.ToUpperInvariant();
            return Task.FromResult<object>(purchase);
        }

        public void Dispose()
        {
        }
    }

    private sealed class Rename : IRuleExecutor
    {
        public string Type() => "RENAME";

        public void Configure(IEnumerable<KeyValuePair<string, string>> config, ISchemaRegistryClient? client = null)
        {
        }

        public Task<object> Transform(RuleContext ctx, object message) =>
            Task.FromResult<object>(new JObject { ["order_id"] = ((JObject)message)["number"], ["total"] = 0 });

        public void Dispose()
        {
        }
    }
}
