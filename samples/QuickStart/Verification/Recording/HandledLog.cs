using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Narad.Kafka;

namespace QuickStart.Verification.Recording;

/// <summary>
/// The file that <c>--output</c> names: a JSON line for each handled message, given to the operating system before its handler returns, so
/// that it says the same as the group's committed offsets even if this process is killed. Thread-safe.
/// </summary>
internal sealed class HandledLog : IDisposable
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _lock = new();
    private readonly ArrayBufferWriter<byte> _line = new(256);
    private readonly Utf8JsonWriter _json;
    private readonly FileStream _file;

    /// <summary>Creates the file, or empties it.</summary>
    public HandledLog(string path)
    {
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        _json = new Utf8JsonWriter(_line, Plain);
    }

    public void Write(MessageContext context, RunStamp stamp)
    {
        var key = context.Key.AsText();
        lock (_lock)
        {
            _line.ResetWrittenCount();
            _json.Reset();
            _json.WriteStartObject();
            _json.WriteString("key", key);
            if (stamp.Line is { } line)
            {
                _json.WriteNumber("line", line);
            }
            else
            {
                _json.WriteNull("line");
            }

            _json.WriteNumber("partition", context.Partition);
            _json.WriteNumber("offset", context.Offset);
            _json.WriteString("run", stamp.Run); // whose input the line is of; null for a message that no run of this sample sent
            _json.WriteEndObject();
            _json.Flush();
            _line.Write("\n"u8);
            _file.Write(_line.WrittenSpan);
        }
    }

    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }
}
