using System.Text;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>Sending messages with schemas.</summary>
public sealed class SendingTests
{
    // By hand: another draft, order and words, and a definition.
    private const string ByHand = """
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "description": "What a customer ordered",
          "$defs": { "money": { "type": "number", "maximum": 1000 } },
          "properties": { "note": { "type": ["null", "string"] }, "total": { "$ref": "#/$defs/money" }, "id": { "type": "string", "minLength": 1 } },
          "required": ["total", "id"],
          "additionalProperties": false,
          "type": "object"
        }
        """;

    [Fact]
    public async Task A_message_is_written_in_Confluents_format_with_the_latest_schema_and_nothing_is_registered()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders"));
        registry.Add("other", "{}");
        var id = registry.Add($"{host.Topic}-value", ByHand);
        await host.Host.StartAsync();
        byte[]? received = null;
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<byte[]>("orders", (value, _, _) => Task.FromResult(received = value), "billing");

        await host.Kafka.SendAsync("orders", new Order("1", 3), "k");

        await RegistryHost.Until(() => received is not null, "it arrives");
        received.Should().Equal([0, 0, 0, 0, (byte)id, .. Encoding.UTF8.GetBytes("""{"id":"1","total":3,"note":null}""")]);
        registry.Count.Should().Be(2);
    }

    [Fact]
    public async Task The_registered_schemas_rules_act_and_the_send_fails_with_the_paths_before_anything_is_sent()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders"));
        registry.Add($"{host.Topic}-value", ByHand);
        await host.Host.StartAsync();

        var send = async () => await host.Kafka.SendAsync("orders", new Order("", 5_000), "k");

        var thrown = (await send.Should().ThrowAsync<KafkaSendException>()).Which;
        thrown.InnerException.Should().BeOfType<SchemaValidationException>().Which.Paths.Should().BeEquivalentTo("/id (minLength)", "/total (maximum)");
        thrown.Retriable.Should().BeFalse();
        thrown.MayHaveBeenWritten.Should().BeFalse();
        thrown.Message.Should().Contain("/total (maximum)").And.NotContain("5000");
        (await host.Kafka.SendAsync("orders", new Order("1", 5), "k")).Offset.Should().Be(0, "the failed one was not written");
    }

    [Fact]
    public async Task In_development_the_schema_of_the_type_is_registered_once()
    {
        await using var registry = new FakeRegistry();
        for (var i = 0; i < 2; i++)
        {
            await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders", subject: "the-orders"),
                environment: "Development");
            await host.Host.StartAsync();
            await host.Kafka.SendAsync("orders", new Order("1", 3), "k");
            registry.Count.Should().Be(1);
        }
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"id":{"type":"integer"},"total":{"type":"number"},"note":{}}}""", "/id: the type writes string, and the registered schema has integer")]
    [InlineData("""{"type":"object","properties":{"id":{"type":"string"}},"required":["customer"]}""", "/customer: the registered schema requires it, and the type does not have it")]
    [InlineData("""{"type":"object","properties":{"id":{"type":"string"},"total":{"type":"number"}},"additionalProperties":false}""", "/note: the type has it, and the registered schema allows no other properties")]
    public async Task A_type_that_does_not_fit_the_latest_schema_keeps_the_host_from_starting_and_the_error_says_how_they_differ(string registered,
        string difference)
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders"));
        registry.Add($"{host.Topic}-value", registered);

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain(difference).And.Contain($"'{host.Topic}-value'").And.Contain(registered).And.Contain("\"title\":\"Order\"").And.Contain(
                "Registered is id 1");
    }

    [Fact]
    public async Task A_subject_without_a_schema_is_named_with_what_was_looked_up()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders"));

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain($"Subject '{host.Topic}-value' has no schema").And.Contain("\"title\":\"Order\"").And.Contain("Registration").And.NotContain("40401");
    }

    [Fact]
    public async Task A_version_that_is_not_compatible_keeps_the_host_from_starting()
    {
        await using var registry = new FakeRegistry { IsCompatible = false };
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithSchema<Order>("orders").CheckCompatibility(),
            environment: "Development");
        registry.Add($"{host.Topic}-value", """{"type":"object","properties":{"id":{"type":"string"},"customer":{"type":"string"}}}""");

        var start = () => host.Host.StartAsync();

        (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain("not compatible with the latest schema").And.Contain("/customer: the registered schema has it, and the type does not").And.Contain(
                "/total: the type has it");
        registry.Count.Should().Be(1, "nothing is registered");
    }

    [Theory]
    [InlineData(RegistryFault.ServerError, "answered 500")]
    [InlineData(RegistryFault.Html, "not a schema registry's JSON")]
    [InlineData(RegistryFault.OtherNotFound, "check the path")]
    [InlineData(RegistryFault.Unauthorized, "refused the login (401")]
    [InlineData(RegistryFault.Hangs, "did not answer within 1 s")]
    public async Task Without_a_registry_the_start_fails_with_the_reason_or_where_allowed_sends_fail_as_retriable_until_it_answers(RegistryFault fault,
        string reason)
    {
        await using var registry = new FakeRegistry { Fault = fault };
        await using (var strict = Create(registry, startWithoutRegistry: false))
        {
            var start = () => strict.Host.StartAsync();
            (await start.Should().ThrowAsync<SerializationUnavailableException>()).Which.Message.Should().Contain(reason).And.Contain(
                registry.Url).And.NotContain("hunter2");
        }

        await using var host = Create(registry, startWithoutRegistry: true);
        await host.Host.StartAsync();
        var send = async () => await host.Kafka.SendAsync("orders", new Order("1", 3), "k");
        var thrown = (await send.Should().ThrowAsync<KafkaSendException>()).Which;
        thrown.Retriable.Should().BeTrue();
        thrown.InnerException.Should().BeOfType<SerializationUnavailableException>();

        registry.Fault = RegistryFault.None;
        registry.Add($"{host.Topic}-value", ByHand);
        await RegistryHost.Until(
            async () =>
            {
                try
                {
                    return (await host.Kafka.SendAsync("orders", new Order("1", 3), "k")).Offset == 0;
                }
                catch (KafkaSendException error) when (error.Retriable)
                {
                    return false;
                }
            },
            "sending works again");
        registry.Fault = fault;
        (await host.Kafka.SendAsync("orders", new Order("2", 3), "k")).Offset.Should().Be(1, "a known schema needs no registry");

        RegistryHost Create(FakeRegistry registry, bool startWithoutRegistry) =>
            new(registry.Url, static kafka => kafka.WithSchema<Order>("orders"), options =>
        {
            options.Timeout = TimeSpan.FromSeconds(fault is RegistryFault.Hangs ? 1 : 60);
            options.StartWithoutRegistry = startWithoutRegistry;
            options.Username = "narad";
            options.Password = "hunter2";
        });
    }

    [Fact]
    public async Task Keys_have_schemas_of_their_own_and_types_without_one_are_sent_as_before()
    {
        await using var registry = new FakeRegistry();
        await using var host = new RegistryHost(registry.Url, static kafka => kafka.WithKeySchema<OrderKey>("orders"));
        var id = registry.Add($"{host.Topic}-key", """{"type":"object","properties":{"number":{"type":"integer","minimum":1}}}""");
        await host.Host.StartAsync();
        var received = new TaskCompletionSource<(Order Order, OrderKey Key)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Order>("orders", async (order, context, token) =>
            received.TrySetResult((order, await host.Registry.DeserializeKeyAsync<OrderKey>(context, token))), "billing");

        var key = await host.Registry.SerializeKeyAsync("orders", new OrderKey(3));
        await host.Kafka.SendAsync("orders", new Order("1", 2), key);

        key.ToBytes().Should().Equal([0, 0, 0, 0, (byte)id, .. """{"number":3}"""u8]);
        (await received.Task.WaitAsync(TimeSpan.FromSeconds(60))).Should().Be((new Order("1", 2), new OrderKey(3)));
        var refused = async () => await host.Registry.SerializeKeyAsync("orders", new OrderKey(0));
        (await refused.Should().ThrowAsync<SchemaValidationException>()).Which.Paths.Should().Equal("/number (minimum)");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Promise", "S30")]
    public async Task Credentials_go_to_the_registry_and_into_no_text(bool inUrl)
    {
        await using var registry = new FakeRegistry();
        var url = inUrl ? registry.Url.Replace("://", "://narad:hunter2@", StringComparison.Ordinal) : registry.Url;
        await using var host = new RegistryHost(url, static kafka => kafka.WithSchema<Order>("orders"), options =>
        {
            options.Username = inUrl ? null : "narad";
            options.Password = inUrl ? null : "hunter2";
        });
        registry.Add($"{host.Topic}-value", ByHand);
        await host.Host.StartAsync();

        var header = $"Authorization: Basic {Convert.ToBase64String("narad:hunter2"u8)}";
        registry.Requests.Should().NotBeEmpty().And.OnlyContain(head => head.Contains(header, StringComparison.OrdinalIgnoreCase));
        host.Registry.Options.ToString().Should().Be(registry.Url);
    }

    [Fact]
    public async Task A_token_is_fetched_once_and_again_when_most_of_its_life_is_over()
    {
        await using var registry = new FakeRegistry();
        var time = new Clock();
        var fetched = 0;
        using var schemas = new KafkaSchemaRegistry(
            new SchemaRegistryOptions
            {
                Url = registry.Url,
                Registration = SchemaRegistration.Register,
                Timeout = TimeSpan.FromMinutes(1),
                TokenProvider = _ => ValueTask.FromResult(new OAuthBearerToken($"token-{++fetched}", time.GetUtcNow().AddMinutes(10), "narad")),
            },
            time).WithKeySchema<OrderKey>();
        new KafkaOptions().UseSchemaRegistry(schemas);

        await schemas.SerializeKeyAsync("a", new OrderKey(1));
        await schemas.SerializeKeyAsync("b", new OrderKey(1));
        fetched.Should().Be(1);
        time.Now += TimeSpan.FromMinutes(9);
        await schemas.SerializeKeyAsync("c", new OrderKey(1));

        fetched.Should().Be(2);
        registry.Requests.Last().Should().Contain("Bearer token-2");
    }

    public sealed record OrderKey(int Number);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(50);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
