using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Narad.Kafka.Serialization;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>What becomes of a message on its way to bytes and back.</summary>
public sealed partial class MessageEncoderTests
{
    private static readonly MessageContext Context = new() { Topic = "orders", Partition = 2, Offset = 41 };

    [Fact]
    public void A_message_becomes_camel_case_json() => Encode(new UserEvent("123", "login")).Should().Be("""{"userId":"123","action":"login"}""");

    [Fact]
    public async Task A_message_comes_back_as_it_was() =>
        (await Decode<UserEvent>("""{"userId":"123","action":"login"}""")).Should().Be(new UserEvent("123", "login"));

    [Fact]
    public async Task Bytes_and_text_go_and_come_as_they_are()
    {
        var encoder = new MessageEncoder(new KafkaOptions());
        byte[] bytes = [0, 255, 1];

        encoder.TryEncode(bytes, out var same).Should().BeTrue();
        same.Should().BeSameAs(bytes);
        encoder.TryEncode(new ReadOnlyMemory<byte>(bytes), out same);
        same.Should().BeSameAs(bytes);
        encoder.TryEncode(new ReadOnlyMemory<byte>(bytes, 1, 2), out same);
        same.Should().Equal(255, 1);
        encoder.TryEncode("""not "JSON" ü""", out same);
        Encoding.UTF8.GetString(same!).Should().Be("""not "JSON" ü""");
        encoder.TryEncode((object)"boxed", typeof(object), out same);
        Encoding.UTF8.GetString(same!).Should().Be("boxed");
        encoder.TryEncode("", out same);
        same.Should().BeEmpty();

        var decoder = new MessageDecoder(new KafkaOptions());
        (await decoder.DecodeAsync<byte[]>(bytes, Context, default)).Should().Equal(bytes).And.NotBeSameAs(bytes, "a handler may write to its array");
        (await decoder.DecodeAsync<ReadOnlyMemory<byte>>(bytes, Context, default)).ToArray().Should().Equal(bytes);
        (await decoder.DecodeAsync<ReadOnlyMemory<byte>?>(bytes, Context, default))!.Value.ToArray().Should().Equal(bytes);
        (await decoder.DecodeAsync<string>("""not "JSON" ü"""u8.ToArray(), Context, default)).Should().Be("""not "JSON" ü""");
    }

    [Fact]
    public async Task Raw_handlers_get_bytes_past_a_deserializer_of_the_application()
    {
        var decoder = new MessageDecoder(new KafkaOptions { Deserializer = new Rot13() });

        (await decoder.DecodeAsync<string>("nopq"u8.ToArray(), Context, default)).Should().Be("nopq");
        (await decoder.DecodeAsync<UserEvent>("nopq"u8.ToArray(), Context, default)).UserId.Should().Be("abcd");
    }

    [Fact]
    public async Task Text_that_is_not_utf8_is_refused_and_not_replaced()
    {
        var decode = async () => await new MessageDecoder(new KafkaOptions()).DecodeAsync<string>(new byte[] { 0xC3, 0x28 }, Context, default);

        (await decode.Should().ThrowAsync<MessageDeserializationException>()).Which.Message.Should().Contain("orders[2]@41").And.Contain("byte[]");
    }

    [Fact]
    public async Task What_is_not_json_is_named_by_place_and_never_quoted()
    {
        var decode = () => Decode<UserEvent>("{\"userId\":\n  \"hunter2\", \"action\": hunter2}");

        var thrown = (await decode.Should().ThrowAsync<MessageDeserializationException>()).Which;
        thrown.Message.Should().Contain("orders[2]@41").And.Contain("UserEvent").And.Contain("line 2, byte 24");
        thrown.ToString().Should().NotContain("hunter2");
        thrown.Should().BeEquivalentTo(new { Topic = "orders", Partition = 2, Offset = 41L, MessageType = typeof(UserEvent) });
    }

    [Fact]
    public async Task The_path_to_an_error_is_not_told_where_it_may_be_of_the_messages_own_words()
    {
        var decode = () => Decode<Dictionary<string, int>>("""{"hunter2": "x"}""");

        (await decode.Should().ThrowAsync<MessageDeserializationException>()).Which.ToString().Should().Contain("line 1, byte ").And.NotContain("hunter2");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("17")]
    public async Task A_value_that_is_no_message_is_refused(string json)
    {
        var decode = () => Decode<UserEvent>(json);

        await decode.Should().ThrowAsync<MessageDeserializationException>();
    }

    [Fact]
    public async Task What_a_deserializer_throws_is_kept_as_the_cause()
    {
        var decoder = new MessageDecoder(new KafkaOptions(), new Rot13());
        var decode = async () => await decoder.DecodeAsync<UserEvent>("!"u8.ToArray(), Context, default);

        (await decode.Should().ThrowAsync<MessageDeserializationException>()).WithInnerException<FormatException>();
    }

    [Fact]
    public async Task A_cancelled_deserializer_is_not_a_message_that_cannot_be_deserialized()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var decode = async () => await new MessageDecoder(new KafkaOptions(), new Rot13()).DecodeAsync<UserEvent>("abc"u8.ToArray(), Context, cancelled.Token);

        await decode.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public void A_source_generated_context_is_used_as_it_is()
    {
        var options = new KafkaOptions { Json = new JsonSerializerOptions { TypeInfoResolver = Known.Default } };

        Encode(new UserEvent("1", "x"), options).Should().Be("""{"UserId":"1","Action":"x"}""");
    }

    [Fact]
    public void A_type_that_a_source_generated_context_lacks_is_named_with_its_remedy()
    {
        var options = new KafkaOptions { Json = new JsonSerializerOptions { TypeInfoResolver = Known.Default } };
        var encode = () => Encode(new Unlisted(1), options);

        encode.Should().Throw<NotSupportedException>().WithMessage("*Unlisted*[JsonSerializable(typeof(Unlisted))]*");
    }

    [Fact]
    public async Task A_serializer_of_the_application_gets_topic_and_headers_and_everything_but_bytes_and_text()
    {
        var encoder = new MessageEncoder(new KafkaOptions { Serializer = new Rot13() });
        var headers = new MessageHeaders();

        encoder.IsSynchronous.Should().BeFalse();
        encoder.TryEncode(new UserEvent("abcd", ""), out _).Should().BeFalse();
        encoder.TryEncode("abcd", out _).Should().BeTrue();
        var bytes = await encoder.EncodeAsync(new UserEvent("abcd", ""), typeof(UserEvent), "orders", headers, serializer: null, default);

        Encoding.UTF8.GetString(bytes).Should().Be("nopq");
        headers.GetText("topic").Should().Be("orders");
    }

    [Fact]
    public void An_envelope_is_filled_in_and_named_by_its_message()
    {
        var json = JsonNode.Parse(Encode(MessageEnvelope.Create(new UserEvent("1", "x")), new KafkaOptions { ClientId = "shop" }))!.AsObject();

        json.Select(property => property.Key).Should().Equal("id", "type", "version", "timestamp", "source", "data");
        Guid.Parse((string)json["id"]!).Version.Should().Be(7);
        ((string)json["type"]!).Should().Be("USER_EVENT");
        ((string)json["version"]!).Should().Be("1.0");
        DateTimeOffset.Parse((string)json["timestamp"]!).Offset.Should().Be(TimeSpan.Zero);
        DateTimeOffset.Parse((string)json["timestamp"]!).Should().BeCloseTo(DateTimeOffset.UtcNow, TimeSpan.FromMinutes(1));
        ((string)json["source"]!).Should().Be("shop");
        ((string)json["data"]!["userId"]!).Should().Be("1");
    }

    [Fact]
    public void What_an_envelope_says_is_not_overwritten()
    {
        var envelope = MessageEnvelope.Create(new Unlisted(1), "SOMETHING", "me") with { Version = "2.0" };

        Encode(envelope, new KafkaOptions { ClientId = "shop" }).Should().Contain("\"SOMETHING\"").And.Contain("\"me\"").And.Contain("\"2.0\"")
            .And.NotContain("shop");
        MessageEnvelope.TypeNameOf<Unlisted>().Should().Be("Unlisted");
        MessageEnvelope.TypeNameOf<List<int>>().Should().Be("List");
    }

    [Fact]
    public async Task An_envelope_comes_back_as_it_was()
    {
        var envelope = MessageEnvelope.Create(new UserEvent("1", "x"), source: "me");

        (await Decode<MessageEnvelope<UserEvent>>(Encode(envelope))).Should().Be(envelope);
    }

    [Fact]
    public void An_envelopes_names_do_not_follow_a_naming_policy()
    {
        var options = new KafkaOptions { Json = new JsonSerializerOptions() };

        Encode(MessageEnvelope.Create(new Unlisted(1)), options).Should().Contain("\"data\":{\"Number\":1}");
    }

    private static string Encode<T>(T message, KafkaOptions? options = null)
    {
        var encoder = new MessageEncoder(options ?? new KafkaOptions());
        encoder.TryEncode(message, out var value).Should().BeTrue();
        encoder.TryEncode(message!, typeof(T), out var boxed).Should().BeTrue();
        boxed.Should().Equal(value);
        return Encoding.UTF8.GetString(value!);
    }

    private static async Task<T> Decode<T>(string json) =>
        await new MessageDecoder(new KafkaOptions()).DecodeAsync<T>(Encoding.UTF8.GetBytes(json), Context, default);

    [MessageType("USER_EVENT")]
    internal sealed record UserEvent(string UserId, string Action);

    internal sealed record Unlisted(int Number);

    [JsonSerializable(typeof(UserEvent))]
    private sealed partial class Known : JsonSerializerContext;

    private sealed class Rot13 : IMessageSerializer, IMessageDeserializer
    {
        public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
        {
            await Task.Yield();
            headers.Add("topic", topic);
            return Encoding.UTF8.GetBytes(Rotate(((UserEvent)message).UserId));
        }

        public async ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
            return new UserEvent(Rotate(Encoding.UTF8.GetString(data.Span)), "");
        }

        private static string Rotate(string text) =>
            string.Concat(text.Select(c => c is >= 'a' and <= 'z' ? (char)('a' + ((c - 'a' + 13) % 26)) : throw new FormatException("No letter.")));
    }
}
