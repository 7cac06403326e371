using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Consuming;
using Narad.Kafka.MessageTypes;
using Narad.Kafka.Serialization;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>Handlers that are chosen by the type of a message, without any broker.</summary>
public sealed class MessageTypeMapTests
{
    private const string Envelope = """{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"2026-01-01T00:00:00Z","source":null,"data":{"user":"wrapped"}}""";

    private readonly List<object?> _handled = [];
    private readonly ConsumingMetrics _metrics = new();

    [Fact]
    public async Task The_type_chooses_the_handler_of_envelopes_and_of_flat_messages()
    {
        var map = Map(types => types.On<Login>("USER_LOGIN", Handle).On<Logout>(Handle).On<MessageEnvelope<Login>>("WHOLE", Handle).On<string>("TEXT", Handle));

        await Receive(map, """{"type":"USER_LOGIN","user":"flat"}""");
        await Receive(map, Envelope);
        await Receive(map, """{"data":{"user":"short"},"type":"USER_LOGIN"}""");
        await Receive(map, """{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"2026-01-01T00:00:00Z","trace":1,"data":{"user":"extended"}}""");
        await Receive(map, """{"type":"LOGOUT","data":"its own","seconds":3}""");
        await Receive(map, """{"id":"1","type":"WHOLE","timestamp":"2026-01-01T00:00:00Z","data":{"user":"w"}}""");
        await Receive(map, """{"type":"TEXT"}""");

        _handled.Should().Equal(
            new Login("flat"), new Login("wrapped"), new Login("short"), new Login("extended"), new Logout("its own", 3),
            new MessageEnvelope<Login> { Id = "1", Type = "WHOLE", Timestamp = DateTimeOffset.Parse("2026-01-01T00:00:00Z"), Data = new Login("w") },
            """{"type":"TEXT"}""");
        _metrics.UnknownTypes.Should().Be(0);
    }

    public static TheoryData<string, string?> OfOtherTypes => new()
    {
        { """{"type":"LOGOUT2","user":"x"}""", "LOGOUT2" },
        { """{"type":"user_login"}""", "user_login" },
        { """{"type":"Narad.Kafka.KafkaService, Narad.Kafka"}""", "Narad.Kafka.KafkaService, Narad.Kafka" },
        { """{"type":""}""", "" },
        { """{"type":7}""", null },
        { """{"type":null,"user":"x"}""", null },
        { """{"type":{"type":"USER_LOGIN"}}""", null },
        { """{"type":"\ud800"}""", null },
        { """{"Type":"USER_LOGIN"}""", null },
        { """{"data":{"type":"USER_LOGIN"}}""", null },
        { """[{"type":"USER_LOGIN"}]""", null },
        { "\"USER_LOGIN\"", null },
        { "{}", null },
        { """{"type":"X","type":"USER_LOGIN","user":"x"}""", null },
        { """{"type":"USER_LOGIN","user":"x","type":"X"}""", null },
        { """{"type":"USER_LOGIN","user":"x","type":"USER_LOGIN"}""", null },
        { """{"type":7,"type":"USER_LOGIN","type":"USER_LOGIN"}""", null },
    };

    [Theory]
    [MemberData(nameof(OfOtherTypes))]
    [Trait("Promise", "S14")]
    public async Task Unknown_unreadable_empty_and_doubled_types_take_one_way_whatever_it_is(string json, string? type)
    {
        foreach (var policy in new[] { UnknownTypePolicy.Fail, UnknownTypePolicy.DeadLetter })
        {
            var receive = () => Receive(Map(types => types.On<Login>("USER_LOGIN", Handle).On<Logout>(Handle)), json, policy);
            var thrown = (await receive.Should().ThrowAsync<UnknownMessageTypeException>()).Which;
            thrown.Type.Should().Be(type);
            thrown.Message.Should().Contain("LOGOUT, USER_LOGIN").And.Contain("t[3]@4");
        }

        await Receive(Map(types => types.On<Login>("USER_LOGIN", Handle)), json, UnknownTypePolicy.Skip);
        _handled.Should().BeEmpty();
        await Receive(Map(types => types.On<Login>("USER_LOGIN", Handle).Otherwise(Handle)), json, UnknownTypePolicy.Handle);

        _handled.Should().Equal(new UnknownMessage(type));
        _metrics.UnknownTypes.Should().Be(4);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"type":"USER_LOGIN","user":"x"} hunter2""")]
    [InlineData("""{"type":"USER_LOGIN","user":7}""")]
    public async Task What_is_not_json_is_no_unknown_type(string json)
    {
        var receive = () => Receive(Map(types => types.On<Login>("USER_LOGIN", Handle)), json, UnknownTypePolicy.Skip);

        (await receive.Should().ThrowAsync<MessageDeserializationException>()).Which.ToString().Should().NotContain("hunter2");
        _metrics.UnknownTypes.Should().Be(0);
    }

    [Theory]
    [InlineData("""{"kind":"USER_LOGIN","type":"X","user":"flat"}""", true)]
    [InlineData("""{"type":"USER_LOGIN","user":"flat"}""", false)]
    [InlineData("""{"kind":"USER_LOGIN","kind":"USER_LOGIN","user":"flat"}""", false)]
    public async Task Another_property_names_the_type_where_that_was_said(string json, bool known)
    {
        await Receive(Map(types => types.On<Login>("USER_LOGIN", Handle).TypeFromProperty("kind").Otherwise(Handle)), json, UnknownTypePolicy.Handle);

        _handled.Should().Equal(known ? new Login("flat") : new UnknownMessage((string?)null));
    }

    [Theory]
    [InlineData("USER_LOGIN", true)]
    [InlineData("USER_LOGIN|USER_LOGIN", false)]
    [InlineData("X", false)]
    [InlineData("", false)]
    [InlineData("-", false)]
    [InlineData(null, false)]
    public async Task A_header_names_the_type_if_it_is_there_once(string? headers, bool known)
    {
        var sent = new MessageHeaders().Add("other", "USER_LOGIN");
        foreach (var value in headers?.Split('|') ?? [])
        {
            sent.Add("kind", value == "-" ? null : value);
        }

        var map = Map(types => types.On<Login>("USER_LOGIN", Handle).TypeFromHeader("kind").Otherwise(Handle));
        await Receive(map, """{"type":"X","user":"flat"}""", UnknownTypePolicy.Handle, sent);

        _handled.Should().HaveCount(1);
        (_handled[0] is Login).Should().Be(known);
    }

    [Fact]
    public async Task A_function_names_the_type_and_what_it_throws_makes_the_message_unreadable()
    {
        var map = Map(types => types.On<Login>("USER_LOGIN", Handle).Otherwise(Handle).TypeFrom(context => context.Key.AsText() switch
        {
            "login" => "USER_LOGIN",
            "broken" => throw new InvalidOperationException("hunter2"),
            _ => null,
        }));

        await Receive(map, """{"user":"a"}""", UnknownTypePolicy.Handle, key: "login");
        await Receive(map, "no JSON at all", UnknownTypePolicy.Handle, key: "other");
        var broken = () => Receive(map, """{"user":"a"}""", UnknownTypePolicy.Handle, key: "broken");

        (await broken.Should().ThrowAsync<MessageDeserializationException>()).Which.Message.Should().Contain("TypeFrom").And.NotContain("hunter2");
        _handled.Should().Equal(new Login("a"), new UnknownMessage((string?)null));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_derived_type_goes_to_its_own_handler_else_to_that_of_its_nearest_base_in_any_order(bool reversed)
    {
        Action<MessageTypeMap>[] declarations =
        [
            types => types.On<Event>((message, _, _) => Note("base", message)),
            types => types.On<Middle>((message, _, _) => Note("middle", message)),
            types => types.Derived<Leaf>("LEAF"),
            types => types.Derived<Other>(),
            types => types.Derived<Middle>("ALIAS"),
            types => types.On<Own>((message, _, _) => Note("own", message)),
        ];
        var map = Map(types => Array.ForEach(reversed ? [.. declarations.Reverse()] : declarations, declare => declare(types)));

        foreach (var type in new[] { "Event", "Middle", "LEAF", "Other", "ALIAS", "Own" })
        {
            await Receive(map, $$"""{"type":"{{type}}","name":"n","leaf":5}""");
        }

        _handled.Should().Equal(
            "base Event { Name = n }", "middle Middle { Name = n }", "middle Leaf { Name = n, Number = 5 }", "base Other { Name = n }",
            "middle Middle { Name = n }", "own Own { Name = n, Number = 5 }");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_ambiguous_or_missing_is_an_error_that_names_it_in_any_order(bool reversed)
    {
        Action<MessageTypeMap>[] declarations =
        [
            types => types.On<IFirst>("FIRST", Handle),
            types => types.On<ISecond>("SECOND", Handle),
            types => types.Derived<Both>("BOTH"),
            types => types.Derived<Login>("NOBODY"),
            types => types.On<Logout>("TWICE", Handle),
            types => types.On<Login>("TWICE", Handle).On<Event>("A", Handle).On<Event>("B", (_, _, _) => Task.CompletedTask),
            types => types.Derived<Leaf>(),
        ];

        var errors = Map(types => Array.ForEach(reversed ? [.. declarations.Reverse()] : declarations, declare => declare(types))).Errors(isHosted: false);

        errors.Should().HaveCount(3);
        errors.Should().ContainSingle(error => error.Contains("\"TWICE\"") && error.Contains(nameof(Login)) && error.Contains(nameof(Logout)));
        errors.Should().ContainSingle(error => error.Contains("Both (\"BOTH\")") && error.Contains(nameof(IFirst)) && error.Contains(nameof(ISecond)));
        errors.Should().ContainSingle(error => error.Contains("Leaf") && error.Contains("(\"A\")") && error.Contains("(\"B\")"));
    }

    [Fact]
    public void A_derived_type_without_a_base_handler_and_a_map_without_types_are_errors()
    {
        Map(types => types.On<Logout>(Handle).Derived<Login>("NOBODY")).Errors(isHosted: false).Should().ContainSingle()
            .Which.Should().Contain("Login (\"NOBODY\") has no handler");
        Map(_ => { }).Errors(isHosted: false).Should().ContainSingle().Which.Should().Contain("Call On");
        Map(types => types.On<Login>(Handle).Otherwise(UnknownTypePolicy.Skip).Otherwise(UnknownTypePolicy.Fail).TypeFromHeader("a").TypeFromProperty("b"))
            .Errors(isHosted: false).Should().HaveCount(2).And.OnlyContain(error => error.Contains("called twice"));
        Map(types => types.On<Login, HostedLogin>()).Errors(isHosted: false).Should().ContainSingle()
            .Which.Should().Contain(nameof(HostedLogin)).And.Contain("host");
        Map(types => types.On<Login, HostedLogin>()).Errors(isHosted: true).Should().BeEmpty();
        Map(types => types.On<Login>(new string('n', 250), Handle)).Types.Should().ContainSingle();
        FluentActions.Invoking(() => Map(types => types.On<Login>(new string('n', 251), Handle))).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Map(types => types.On<Login>("", Handle))).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Map(types => types.Otherwise(UnknownTypePolicy.Handle))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Policies_that_need_something_are_refused_without_it()
    {
        ErrorsOf(types => types.On<Login>(Handle).Otherwise(UnknownTypePolicy.DeadLetter)).Should().ContainSingle()
            .Which.Should().Contain("DeadLetter.Enabled");
        ErrorsOf(types => types.On<Login>(Handle).Otherwise(UnknownTypePolicy.DeadLetter), o => o.DeadLetter.Enabled = true).Should().BeEmpty();
        ErrorsOf(types => types.On<Login>(Handle), o => o.OnUnknownType = UnknownTypePolicy.Handle).Should().ContainSingle()
            .Which.Should().Contain("Otherwise");
        ErrorsOf(types => types.On<Login>(Handle), o => o.IncludeTombstones = true).Should().ContainSingle().Which.Should().Contain("OnTombstone");
        ErrorsOf(types => types.On<Login>(Handle).OnTombstone((_, _) => Task.CompletedTask), o => o.IncludeTombstones = true).Should().BeEmpty();

        static IEnumerable<string> ErrorsOf(Action<MessageTypeMap> types, Action<SubscriptionOptions>? configure = null)
        {
            var options = new SubscriptionOptions();
            Map(types).Configured(configure, isHosted: false)(options);
            return options.BindingErrors;
        }
    }

    [Fact]
    public void The_reader_agrees_with_the_parser_on_any_object() =>
        Prop.ForAll<KeyValuePair<string, string>[], int>((fields, at) =>
        {
            var properties = (fields ?? []).Where(field => field.Key is not null and not "type" and not "data")
                .Select(field => (field.Key, Value: (object)new Dictionary<string, object?> { ["type"] = field.Value, ["data"] = new[] { 1 } }))
                .DistinctBy(field => field.Key).ToList();
            var expected = "T\"\\é" + at;
            properties.Insert((int)((uint)at % (uint)(properties.Count + 1)), ("type", expected));
            var json = JsonSerializer.SerializeToUtf8Bytes(properties.ToDictionary(field => field.Key, field => field.Value));
            var read = MessageTypeReader.Read(json, "type"u8);
            return read.Type == expected && read.Payload.Length == json.Length;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_reader_refuses_with_a_json_exception_whatever_the_bytes() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            try
            {
                MessageTypeReader.Read(bytes, "type"u8);
                return true;
            }
            catch (JsonException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task Of_unknown_types_that_are_long_or_many_a_bounded_part_is_kept_and_logged()
    {
        using var logs = new LogEvents();
        var typed = Map(types => types.On<Login>("USER_LOGIN", Handle))
            .Bind(host: null, new MessageDecoder(new KafkaOptions()), UnknownTypePolicy.Skip, logs.CreateLogger("x"), _metrics);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        for (var n = 0; n < 40; n++)
        {
            await Receive(typed, $$"""{"type":"{{n}}{{new string('x', 900_000)}}"}""");
        }

        (GC.GetTotalMemory(forceFullCollection: true) - before).Should().BeLessThan(32 * 1024 * 1024, "72 MB of names came");
        logs.All.Should().HaveCount(40).And.OnlyContain(logged => logged.Message.Length < 500);
        for (var n = 0; n < 2_000; n++)
        {
            await Receive(typed, $$"""{"type":"T{{n}}"}""");
        }

        logs.All.Should().HaveCount(1_000);
        GC.KeepAlive(typed);
        var refused = new UnknownMessageTypeException(new string('x', 900_000), ["USER_LOGIN"], new MessageContext { Topic = "t" });
        (refused.Message.Length + refused.Type!.Length).Should().BeLessThan(600);
    }

    [Fact]
    public void Names_of_topics_that_callers_give_are_remembered_in_a_bounded_number()
    {
        var names = new RealNames(new KafkaOptions());

        for (var n = 0; n < 30_000; n++)
        {
            names.Of($"replies-{n}").Should().Be($"replies-{n}");
        }

        names.Count.Should().BeLessThanOrEqualTo(10_000);
    }

    private static MessageTypeMap Map(Action<MessageTypeMap> types)
    {
        var map = new MessageTypeMap();
        types(map);
        return map;
    }

    private Task Receive(
        MessageTypeMap map, string json, UnknownTypePolicy unknown = UnknownTypePolicy.Fail, MessageHeaders? headers = null, MessageKey key = default) =>
        Receive(map.Bind(host: null, new MessageDecoder(new KafkaOptions()), unknown, NullLogger.Instance, _metrics), json, headers, key);

    // As the engine does: decode with the subscription's deserializer, then handle.
    private static async Task Receive(TypedMessages typed, string json, MessageHeaders? headers = null, MessageKey key = default)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var context = new MessageContext { Topic = "t", Partition = 3, Offset = 4, Key = key, Headers = headers ?? [], RawValue = bytes };
        var message = await new MessageDecoder(typed).DecodeAsync<object>(bytes, context, default);
        await typed.HandleAsync(message, context, default);
    }

    private Task Handle<T>(T message, MessageContext context, CancellationToken cancellationToken)
    {
        _handled.Add(message);
        return Task.CompletedTask;
    }

    private Task Note<T>(string handler, T message)
    {
        _handled.Add($"{handler} {message}");
        return Task.CompletedTask;
    }

    internal interface IFirst;

    internal interface ISecond;

    internal sealed record Login(string User);

    [MessageType("LOGOUT")]
    internal sealed record Logout(string Data, int Seconds);

    internal record Event(string Name);

    internal record Middle(string Name) : Event(Name);

    internal sealed record Leaf(string Name, [property: System.Text.Json.Serialization.JsonPropertyName("leaf")] int Number) : Middle(Name);

    internal sealed record Other(string Name) : Event(Name);

    internal sealed record Own(string Name, [property: System.Text.Json.Serialization.JsonPropertyName("leaf")] int Number) : Middle(Name);

    internal sealed record Both : IFirst, ISecond;

    internal sealed class HostedLogin : IMessageHandler<Login>
    {
        public Task HandleAsync(Login message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
