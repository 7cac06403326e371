using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace QuickStart.Verification.Input;

/// <summary>
/// Reads JSON Lines, one line in memory at a time, whatever the input's size; a malformed line comes with its problem and is never
/// silently left out. Used by one reader.
/// </summary>
internal sealed class JsonLines(Stream input, string keyField)
{
    /// <summary>The longest line, bytes: the largest message that the library sends by default.</summary>
    public const int MaxLineBytes = 1_000_000;

    private static readonly JsonReaderOptions Strict = new() { MaxDepth = 512 };

    private readonly byte[] _keyField = Encoding.UTF8.GetBytes(keyField);

    public async IAsyncEnumerable<InputLine> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        var number = 0L;
        var tooLong = false; // the line at hand was reported already and is skipped up to its end

        while (true)
        {
            // A console or pipe does not give up a read that waits: it is left behind instead, together with its buffer.
            var read = await input.ReadAsync(buffer.AsMemory(filled), cancellationToken).AsTask().WaitAsync(cancellationToken);
            if (read == 0)
            {
                break;
            }

            filled += read;
            var start = 0;
            int length;
            while ((length = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n')) >= 0)
            {
                if (!tooLong)
                {
                    yield return Parse(++number, buffer.AsSpan(start, length));
                }

                tooLong = false;
                start += length + 1;
            }

            filled -= start;
            buffer.AsSpan(start, filled).CopyTo(buffer);
            if (tooLong)
            {
                filled = 0;
            }
            else if (filled > MaxLineBytes + 1)
            {
                yield return TooLong(++number);
                tooLong = true;
                filled = 0;
            }
            else if (filled == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }

        if (filled > 0)
        {
            yield return Parse(++number, buffer.AsSpan(0, filled));
        }
    }

    private InputLine Parse(long number, ReadOnlySpan<byte> line)
    {
        if (number == 1 && line.StartsWith("\uFEFF"u8))
        {
            line = line[3..];
        }

        line = line.EndsWith("\r"u8) ? line[..^1] : line;
        if (line.Length > MaxLineBytes)
        {
            return TooLong(number);
        }

        if (!Utf8.IsValid(line))
        {
            return Malformed(number, "not UTF-8 text");
        }

        if (line.Trim(" \t\r"u8).IsEmpty)
        {
            return Malformed(number, "empty");
        }

        try
        {
            return new InputLine(number, line.ToArray(), FindKey(line), Problem: null);
        }
        catch (JsonException error)
        {
            return Malformed(number, string.Create(CultureInfo.InvariantCulture, $"not JSON, at byte {error.BytePositionInLine + 1}"));
        }
        catch (InvalidOperationException)
        {
            return Malformed(number, "the key is half a character (a lone surrogate)");
        }
    }

    // The whole line is read, so that whatever is not JSON shows. The first field of that name counts, at the top level only.
    private string? FindKey(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line, Strict);
        string? key = null;
        var found = false;
        while (reader.Read())
        {
            if (found || reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1 || !reader.ValueTextEquals(_keyField))
            {
                continue;
            }

            found = true;
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            key = reader.TokenType switch
            {
                JsonTokenType.Null => null,
                JsonTokenType.String => reader.GetString(),
                _ => Text(ref reader, line, start), // a number, a truth value, an object: its JSON text
            };
        }

        return key;
    }

    private static string Text(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, int start)
    {
        reader.Skip();
        return Encoding.UTF8.GetString(line[start..(int)reader.BytesConsumed]);
    }

    private static InputLine TooLong(long number) =>
        Malformed(number, string.Create(CultureInfo.InvariantCulture, $"longer than {MaxLineBytes:N0} bytes"));

    private static InputLine Malformed(long number, string problem) => new(number, [], Key: null, problem);
}
