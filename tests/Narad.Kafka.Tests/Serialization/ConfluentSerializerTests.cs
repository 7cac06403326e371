using System.Text;
using Confluent.Kafka;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>Serializers of Confluent's client behind our interfaces.</summary>
public sealed class ConfluentSerializerTests
{
    private static readonly MessageContext Received = new() { Topic = "t", Headers = new MessageHeaders().Add("in", "1").Add("null", (byte[]?)null) };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_serializer_gets_topic_and_headers_and_may_add_to_them(bool isAsync)
    {
        var serializer = isAsync ? ConfluentSerializer.From((IAsyncSerializer<Uri>)new Uris()) : ConfluentSerializer.From((ISerializer<Uri>)new Uris());
        var headers = new MessageHeaders().Add("in", "1").Add("null", (byte[]?)null);

        var bytes = await serializer.SerializeAsync(new Uri("http://x/"), typeof(Uri), "t", headers, default);

        Encoding.UTF8.GetString(bytes).Should().Be("http://x/ to t");
        headers.Select(header => header.Name).Should().Equal("in", "null", "out");
        headers[1].Value.Should().BeNull();
        headers.GetText("out").Should().Be("2");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_deserializer_gets_topic_and_headers(bool isAsync)
    {
        var deserializer = isAsync ? ConfluentSerializer.From((IAsyncDeserializer<Uri>)new Uris()) : ConfluentSerializer.From((IDeserializer<Uri>)new Uris());

        (await deserializer.DeserializeAsync("http://x/"u8.ToArray(), typeof(Uri), Received, default)).Should().Be(new Uri("http://x/?t+in+null"));
    }

    [Fact]
    public async Task A_message_of_another_type_is_refused_by_name()
    {
        var serialize = async () => await ConfluentSerializer.From((ISerializer<Uri>)new Uris()).SerializeAsync(7, typeof(int), "t", [], default);
        var deserialize = async () => await ConfluentSerializer.From((IDeserializer<Uri>)new Uris()).DeserializeAsync(default, typeof(int), Received, default);

        await serialize.Should().ThrowAsync<NotSupportedException>().WithMessage("*System.Uri*System.Int32*");
        await deserialize.Should().ThrowAsync<NotSupportedException>().WithMessage("*System.Uri*System.Int32*");
    }

    private sealed class Uris : ISerializer<Uri>, IAsyncSerializer<Uri>, IDeserializer<Uri>, IAsyncDeserializer<Uri>
    {
        public byte[] Serialize(Uri data, SerializationContext context)
        {
            context.Component.Should().Be(MessageComponentType.Value);
            context.Headers.Add("out", "2"u8.ToArray());
            return Encoding.UTF8.GetBytes($"{data} to {context.Topic}");
        }

        public async Task<byte[]> SerializeAsync(Uri data, SerializationContext context)
        {
            await Task.Yield();
            return Serialize(data, context);
        }

        public Uri Deserialize(ReadOnlySpan<byte> data, bool isNull, SerializationContext context) =>
            new($"{Encoding.UTF8.GetString(data)}?{context.Topic}+{string.Join('+', context.Headers.Select(header => header.Key))}");

        public async Task<Uri> DeserializeAsync(ReadOnlyMemory<byte> data, bool isNull, SerializationContext context)
        {
            await Task.Yield();
            return Deserialize(data.Span, isNull, context);
        }
    }
}
