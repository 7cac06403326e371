using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Narad.Kafka;

namespace QuickStart.Verification.Recording;

/// <summary>What a message carries in its headers, so that its value stays the input line, byte for byte.</summary>
/// <param name="Run">The run that sent it; null for a message that no run of this sample sent.</param>
/// <param name="Line">Its line in that run's input, from 1; null where that is not known.</param>
/// <param name="SentAt">When <c>SendAsync</c> was called, on the clock of the process that sent it.</param>
internal readonly record struct RunStamp(string? Run, long? Line, long SentAt)
{
    public static MessageHeaders Write(byte[] run, long line, long sentAt)
    {
        var sent = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(sent, sentAt);
        return new MessageHeaders()
            .Add("run", run)
            .Add("line", Encoding.ASCII.GetBytes(line.ToString(CultureInfo.InvariantCulture)))
            .Add("sent", sent);
    }

    public static RunStamp Read(MessageHeaders headers)
    {
        headers.TryGet("line", out var line);
        headers.TryGet("sent", out var sent);
        return new RunStamp(
            headers.GetText("run"),
            Utf8Parser.TryParse(line, out long number, out var used) && used == line!.Length && number > 0 ? number : null,
            sent is { Length: sizeof(long) } ? BinaryPrimitives.ReadInt64BigEndian(sent) : 0);
    }
}
