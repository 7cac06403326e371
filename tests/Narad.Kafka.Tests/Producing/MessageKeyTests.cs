using System.Text;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What people read of a key, in exceptions and logs.</summary>
public sealed class MessageKeyTests
{
    public static TheoryData<MessageKey, string> Shown => new()
    {
        { MessageKey.None, "(none)" },
        { "", "(empty)" },
        { Array.Empty<byte>(), "(empty)" },
        { "user-1", "user-1" },
        { Encoding.UTF8.GetBytes("käse"), "käse" },
        { 258, "0x00000102" },
        { "two\nlines", "0x74776F0A6C696E6573" },
        { new byte[] { 255, 254 }, "0xFFFE" },
        { new string('x', 256), new string('x', 256) },
        { new string('x', 2_000_000), new string('x', 256) + "…" },
        { Encoding.UTF8.GetBytes(new string('€', 2_000)), new string('€', 256) + "…" },
        { new byte[2_000_000], "0x" + new string('0', 128) + "…" },
    };

    [Theory]
    [MemberData(nameof(Shown))]
    public void A_key_is_shown_as_text_where_it_is_text_and_never_at_length(MessageKey key, string shown) => key.ToString().Should().Be(shown);

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    public async Task A_time_that_the_client_would_take_for_now_or_refuse_is_refused_by_name(int millisecondsSince1970)
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        var time = DateTimeOffset.UnixEpoch.AddMilliseconds(millisecondsSince1970);

        var sends = () => sending.SendAsync("t", "m", options: new SendOptions { Timestamp = time }).AsTask();

        (await sends.Should().ThrowAsync<ArgumentOutOfRangeException>()).WithMessage("SendOptions.Timestamp must be 1970-01-01T00:00:00.001Z or later*");
        clients.Last.Taken.Should().BeEmpty();
    }

    [Theory]
    [InlineData(-1, null)]
    [InlineData(null, 0)]
    public async Task What_middleware_sets_is_checked_like_what_the_sender_sets(int? partition, int? millisecondsSince1970)
    {
        var clients = new ScriptedClients();
        var sets = new Sets(
            message =>
            (message.Partition, message.Timestamp) = (partition, millisecondsSince1970 is { } time ? DateTimeOffset.UnixEpoch.AddMilliseconds(time) : null));
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendMiddleware.Add(sets));

        var sends = () => sending.SendAsync("t", "m").AsTask();

        (await sends.Should().ThrowAsync<ArgumentOutOfRangeException>()).WithMessage("OutgoingMessage.*");
        clients.Last.Taken.Should().BeEmpty();
        await sending.Producer.StopAsync(Sending.Timeout);
    }

    private sealed class Sets(Action<OutgoingMessage> set) : ISendMiddleware
    {
        public ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            set(message);
            return next(message, cancellationToken);
        }
    }
}
