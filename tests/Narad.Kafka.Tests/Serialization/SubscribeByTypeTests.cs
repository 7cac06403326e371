using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>Handlers that are chosen by <c>type</c>, without any broker.</summary>
public sealed class SubscribeByTypeTests
{
    private readonly List<object?> _handled = [];

    [Fact]
    public async Task The_type_chooses_the_handler_of_envelopes_and_of_flat_messages()
    {
        var typed = Typed(
            types => types.On<Login>("USER_LOGIN", Handle).On<Logout>(Handle).On<MessageEnvelope<Login>>("WHOLE", Handle).On<string>("TEXT", Handle));

        await Receive(typed, """{"type":"USER_LOGIN","user":"flat"}""");
        await Receive(typed, """{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"2026-01-01T00:00:00Z","source":null,"data":{"user":"wrapped"}}""");
        await Receive(typed, """{"data":{"user":"short"},"type":"USER_LOGIN"}""");
        await Receive(typed, """{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"2026-01-01T00:00:00Z","trace":1,"data":{"user":"extended"}}""");
        await Receive(typed, """{"type":"LOGOUT","data":"its own","seconds":3}""");
        await Receive(typed, """{"id":"1","type":"WHOLE","timestamp":"2026-01-01T00:00:00Z","data":{"user":"w"}}""");
        await Receive(typed, """{"type":"TEXT"}""");

        _handled.Should().BeEquivalentTo(
            new object[]
            {
                new Login("flat"), new Login("wrapped"), new Login("short"), new Login("extended"), new Logout("its own", 3),
                new MessageEnvelope<Login> { Id = "1", Type = "WHOLE", Timestamp = DateTimeOffset.Parse("2026-01-01T00:00:00Z"), Data = new Login("w") }, """{"type":"TEXT"}""",
            },
            rows => rows.WithStrictOrdering().RespectingRuntimeTypes());
    }

    [Theory]
    [InlineData("""{"type":"LOGOUT2","user":"x"}""", "LOGOUT2")]
    [InlineData("""{"type":"user_login"}""", "user_login")]
    [InlineData("""{"type":7}""", null)]
    [InlineData("""{"Type":"USER_LOGIN"}""", null)]
    [InlineData("""{"data":{"type":"USER_LOGIN"}}""", null)]
    [InlineData("""[{"type":"USER_LOGIN"}]""", null)]
    [InlineData("\"USER_LOGIN\"", null)]
    [InlineData("""{"type":"X","type":"USER_LOGIN"}""", "X")]
    [Trait("Promise", "S14")]
    public async Task An_unknown_type_is_refused_with_the_types_that_are_known(string json, string? type)
    {
        var receive = () => Receive(Typed(types => types.On<Login>("USER_LOGIN", Handle).On<Logout>(Handle)), json);

        var thrown = (await receive.Should().ThrowAsync<UnknownMessageTypeException>()).Which;
        thrown.Type.Should().Be(type);
        thrown.Message.Should().Contain("LOGOUT, USER_LOGIN").And.Contain("t[3]@4");
        _handled.Should().BeEmpty();
    }

    [Fact]
    public async Task An_unknown_type_is_skipped_and_counted_only_where_that_was_chosen()
    {
        var counted = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, meters) =>
        {
            if (instrument.Name == "narad.kafka.skipped_unknown_type")
            {
                meters.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            var named = tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value);
            if (Equals(named["client"], "skipper") && Equals(named["topic"], "skips") && named.ContainsKey("group"))
            {
                Interlocked.Add(ref counted, value);
            }
        });
        listener.Start();

        await using var service = new KafkaService(new KafkaOptions { ClientId = "skipper", Mode = KafkaMode.Console });
        var typed = Typed(types => types.On<Login>("USER_LOGIN", Handle), UnknownTypePolicy.Skip, service.Meter);
        await Receive(typed, """{"type":"OTHER"}""", "skips");
        await Receive(typed, """{"type":"OTHER"}""", "skips");
        await Receive(typed, """{"type":"USER_LOGIN","user":"x"}""", "skips");

        counted.Should().Be(2);
        _handled.Should().Equal(new Login("x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"type":"USER_LOGIN","user":"x"} hunter2""")]
    [InlineData("""{"type":"USER_LOGIN","user":7}""")]
    public async Task What_is_not_json_is_no_unknown_type(string json)
    {
        var receive = () => Receive(Typed(types => types.On<Login>("USER_LOGIN", Handle), UnknownTypePolicy.Skip), json);

        (await receive.Should().ThrowAsync<MessageDeserializationException>()).Which.ToString().Should().NotContain("hunter2");
    }

    [Fact]
    public async Task A_subscription_by_type_takes_its_own_deserializer_policy_and_tombstones()
    {
        var (service, recorder) = Recorder.Create();
        await service.SubscribeByTypeAsync(
            "topic",
            types => types.On<Login>("USER_LOGIN", Handle).OnTombstone((context, _) => Handle(context.Key.AsText(), context, default)),
            "group",
            options => { options.OnUnknownType = UnknownTypePolicy.Skip; options.Parallelism = 3; });

        var options = recorder.Options!;
        options.Parallelism.Should().Be(3);
        options.IncludeTombstones.Should().BeTrue();
        options.Deserializer.Should().BeOfType<TypedMessages>();
        await recorder.Handler!(null!, new MessageContext { Topic = "t", Key = "k" }, default);
        _handled.Should().Equal("k");
    }

    [Fact]
    public async Task Misuse_of_a_subscription_by_type_is_refused()
    {
        var (service, _) = Recorder.Create();
        var none = () => service.SubscribeByTypeAsync("t", _ => { });
        var twice = () => service.SubscribeByTypeAsync("t", types => types.On<Login>("A", Handle).On<Logout>("A", Handle));
        var tombstones = () => service.SubscribeByTypeAsync("t", types => types.On<Login>("A", Handle), configure: o => o.IncludeTombstones = true);

        await none.Should().ThrowAsync<ArgumentException>().WithMessage("*No handler*");
        await twice.Should().ThrowAsync<ArgumentException>().WithMessage("*\"A\" has a handler*");
        await tombstones.Should().ThrowAsync<ArgumentException>().WithMessage("*OnTombstone*");
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
            var read = MessageTypeReader.Read(json);
            return read.Type == expected && read.Payload.Length == json.Length;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_reader_refuses_with_a_json_exception_whatever_the_bytes() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            try
            {
                MessageTypeReader.Read(bytes);
                return true;
            }
            catch (JsonException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task Of_unknown_types_that_are_long_only_the_beginning_is_kept_and_logged()
    {
        using var logs = new LogEvents();
        var map = new MessageTypeMap();
        map.On<Login>("USER_LOGIN", Handle);
        var typed = new TypedMessages(map, new MessageDecoder(new KafkaOptions()), UnknownTypePolicy.Skip, logs.CreateLogger("x"), meter: null);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        for (var n = 0; n < 40; n++)
        {
            await Receive(typed, $$"""{"type":"{{n}}{{new string('x', 900_000)}}"}""");
        }

        (GC.GetTotalMemory(forceFullCollection: true) - before).Should().BeLessThan(32 * 1024 * 1024, "72 MB of names came");
        logs.All.Should().HaveCount(40).And.OnlyContain(logged => logged.Message.Length < 500);
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

    private static TypedMessages Typed(Action<MessageTypeMap> types, UnknownTypePolicy unknown = UnknownTypePolicy.Fail, KafkaMeter? meter = null)
    {
        var map = new MessageTypeMap();
        types(map);
        return new TypedMessages(map, new MessageDecoder(new KafkaOptions()), unknown, NullLogger.Instance, meter);
    }

    // As the engine does: decode with the subscription's deserializer, then handle.
    private static async Task Receive(TypedMessages typed, string json, string topic = "t")
    {
        var context = new MessageContext { Topic = topic, Partition = 3, Offset = 4 };
        var message = await new MessageDecoder(new KafkaOptions(), typed).DecodeAsync<object>(Encoding.UTF8.GetBytes(json), context, default);
        await typed.HandleAsync(message, context, default);
    }

    private Task Handle<T>(T message, MessageContext context, CancellationToken cancellationToken)
    {
        _handled.Add(message);
        return Task.CompletedTask;
    }

    internal sealed record Login(string User);

    [MessageType("LOGOUT")]
    internal sealed record Logout(string Data, int Seconds);

    public class Recorder : DispatchProxy
    {
        public SubscriptionOptions? Options { get; private set; }

        public Func<object, MessageContext, CancellationToken, Task>? Handler { get; private set; }

        public static (IKafkaService Service, Recorder Recorder) Create()
        {
            var service = Create<IKafkaService, Recorder>();
            return (service, (Recorder)(object)service);
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            targetMethod!.Name.Should().Be("SubscribeAsync");
            Handler = (Func<object, MessageContext, CancellationToken, Task>)args![1]!;
            Options = new SubscriptionOptions();
            ((Action<SubscriptionOptions>)args[3]!)(Options);
            return Task.FromResult<ISubscription>(null!);
        }
    }
}
