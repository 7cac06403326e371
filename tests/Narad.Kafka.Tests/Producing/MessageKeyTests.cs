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

    [Fact]
    public async Task A_time_before_1970_is_refused_by_name()
    {
        await using var sending = await Sending.ConnectAsync(new ScriptedClients());

        var sends = () => sending.SendAsync("t", "m", options: new SendOptions { Timestamp = DateTimeOffset.UnixEpoch.AddMilliseconds(-1) }).AsTask();

        (await sends.Should().ThrowAsync<ArgumentOutOfRangeException>()).WithMessage("SendOptions.Timestamp must not be before 1970*");
    }
}
