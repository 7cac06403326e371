using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka.Serialization;
using Narad.Kafka.Tests.Producing;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>A message is written whole, whatever type it is declared as.</summary>
public sealed partial class RuntimeTypeTests
{
    private const string Placed = """{"total":5,"id":"1"}""";

    [JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
    [JsonDerivedType(typeof(Circle), "circle")]
    internal interface IShape;

    internal interface IEvent
    {
        string Id { get; }
    }

    [Fact]
    public void A_message_declared_as_an_interface_or_a_base_class_is_written_whole()
    {
        Encode<IEvent>(new OrderPlaced("1", 5)).Should().Be(Placed);
        Encode<Event>(new OrderPlaced("1", 5)).Should().Be(Placed);
        Encode<object>(new OrderPlaced("1", 5)).Should().Be(Placed);
        Encode(new OrderPlaced("1", 5)).Should().Be(Placed);
        Encode(new Event("1")).Should().Be("""{"id":"1"}""");
    }

    [Fact]
    public void The_data_of_an_envelope_is_written_whole()
    {
        var envelope = MessageEnvelope.Create<IEvent>(new OrderPlaced("1", 5));

        Encode(envelope).Should().EndWith($$""","data":{{Placed}}}""").And.Contain("\"type\":\"OrderPlaced\"");
        Encode<object>(envelope).Should().EndWith($$""","data":{{Placed}}}""");
        Encode(MessageEnvelope.Create<object>(new OrderPlaced("1", 5))).Should().EndWith($$""","data":{{Placed}}}""");
        Encode(MessageEnvelope.Create<IEvent>(null!, "NONE")).Should().EndWith("\"data\":null}");
    }

    [Fact]
    public void Declared_polymorphism_decides()
    {
        Encode<IShape>(new Circle(2)).Should().Be("""{"kind":"circle","radius":2}""");
        Encode(MessageEnvelope.Create<IShape>(new Circle(2))).Should().EndWith("""data":{"kind":"circle","radius":2}}""").And.Contain("\"type\":\"IShape\"");
        FluentActions.Invoking(() => Encode<IShape>(new Square(2))).Should()
            .Throw<NotSupportedException>("it is not one of the derived types that the declared one names");
    }

    [Fact]
    public void A_converter_of_the_declared_type_decides()
    {
        var options = new KafkaOptions { Json = new JsonSerializerOptions { Converters = { new IdOnly() } } };

        Encode<IEvent>(new OrderPlaced("1", 5), options).Should().Be("\"1\"");
    }

    [Fact]
    public void Collections_and_dictionaries_are_written_as_they_are_declared()
    {
        Encode<IDictionary<string, int>>(new SortedDictionary<string, int>(StringComparer.Ordinal) { ["b"] = 2, ["a"] = 1 }).Should().Be("""{"a":1,"b":2}""");
        Encode<int?>(7).Should().Be("7");
    }

    [Fact]
    public void A_source_generated_context_has_to_know_the_messages_own_type()
    {
        var options = new KafkaOptions { Json = new JsonSerializerOptions(JsonSerializerDefaults.Web) { TypeInfoResolver = Events.Default } };

        Encode<IEvent>(new OrderPlaced("1", 5), options).Should().Be(Placed, "the declared type need not be known");
        Encode(MessageEnvelope.Create<Event>(new OrderPlaced("1", 5)), options).Should().EndWith($$""","data":{{Placed}}}""");
        FluentActions.Invoking(() => Encode<Event>(new OrderCancelled("1", "late"), options))
            .Should().Throw<NotSupportedException>().WithMessage("*[JsonSerializable(typeof(OrderCancelled))]*");
    }

    [Fact, Trait("Promise", "S1")]
    public async Task Sending_many_messages_of_different_types_writes_each_whole()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        List<IEvent> events = [new OrderPlaced("1", 5), new OrderCancelled("2", "late"), new Event("3")];

        var sent = sending.Producer.SendManyAsync("t", events, key: null, options: null, default);
        await Sending.Until(
            () =>
            {
                clients.Last.Report();
                return sent.IsCompleted;
            },
            "all answers");

        clients.Last.Taken.Should().Equal(Placed, """{"reason":"late","id":"2"}""", """{"id":"3"}""");
    }

    private static string Encode<T>(T message, KafkaOptions? options = null)
    {
        var encoder = new MessageEncoder(options ?? new KafkaOptions());
        encoder.TryEncode(message, out var value).Should().BeTrue();
        encoder.TryEncode(message!, typeof(T), out var boxed).Should().BeTrue();
        boxed.Should().Equal(value);
        return Encoding.UTF8.GetString(value!);
    }

    internal record Event(string Id) : IEvent;

    internal sealed record OrderPlaced(string Id, int Total) : Event(Id);

    internal sealed record OrderCancelled(string Id, string Reason) : Event(Id);

    internal sealed record Circle(int Radius) : IShape;

    internal sealed record Square(int Side) : IShape;

    private sealed class IdOnly : JsonConverter<IEvent>
    {
        public override IEvent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, IEvent value, JsonSerializerOptions options) => writer.WriteStringValue(value.Id);
    }

    [JsonSerializable(typeof(OrderPlaced))]
    [JsonSerializable(typeof(Event))]
    [JsonSerializable(typeof(MessageEnvelope<Event>))]
    private sealed partial class Events : JsonSerializerContext;
}
