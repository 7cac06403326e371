using System.Collections;
using System.Text;

namespace Narad.Kafka;

/// <summary>
/// The headers of a message, in order; names may repeat, and the last one counts. Not thread-safe.
/// </summary>
public sealed class MessageHeaders : IReadOnlyList<MessageHeader>
{
    private static readonly MessageHeaders Empty = new();

    private readonly List<MessageHeader> _headers;

    /// <summary>Creates an empty list.</summary>
    public MessageHeaders() => _headers = [];

    /// <summary>Creates a copy.</summary>
    public MessageHeaders(IEnumerable<MessageHeader> headers) => _headers = [.. headers];

    /// <summary>Of the headers that a handler is shown: those that came with the message. Null for all other headers.</summary>
    internal MessageHeaders? Received { get; private set; }

    /// <inheritdoc/>
    public int Count => _headers.Count;

    /// <inheritdoc/>
    public MessageHeader this[int index] => _headers[index];

    /// <summary>Makes these the headers that a handler is shown of <paramref name="received"/>; of a message that came from no broker, of none.</summary>
    internal MessageHeaders ShownOf(MessageHeaders? received)
    {
        Received = received ?? Empty;
        return this;
    }

    /// <summary>Adds a header with a text value (UTF-8).</summary>
    /// <exception cref="ArgumentException">The name is empty or has a NUL (the client would cut it there).</exception>
    public MessageHeaders Add(string name, string? value) => Add(name, value is null ? null : Encoding.UTF8.GetBytes(value));

    /// <summary>Adds a header; a null value and an empty one stay apart.</summary>
    /// <exception cref="ArgumentException">The name is empty or has a NUL (the client would cut it there).</exception>
    public MessageHeaders Add(string name, byte[]? value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("A header's name must not contain a NUL character: the client would cut it there.", nameof(name));
        }

        _headers.Add(new MessageHeader(name, value));
        return this;
    }

    /// <summary>Removes every header of this name.</summary>
    public MessageHeaders Remove(string name)
    {
        _headers.RemoveAll(header => string.Equals(header.Name, name, StringComparison.Ordinal));
        return this;
    }

    /// <summary>The last header of this name.</summary>
    /// <returns>Whether there is one; its value may be null.</returns>
    public bool TryGet(string name, out byte[]? value)
    {
        for (var i = _headers.Count - 1; i >= 0; i--)
        {
            if (string.Equals(_headers[i].Name, name, StringComparison.Ordinal))
            {
                value = _headers[i].Value;
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>The last header of this name as UTF-8 text; null where there is none or its value is null.</summary>
    public string? GetText(string name) => TryGet(name, out var value) && value is not null ? Encoding.UTF8.GetString(value) : null;

    /// <inheritdoc/>
    public IEnumerator<MessageHeader> GetEnumerator() => _headers.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A copy, values included: nobody else can change it.</summary>
    internal MessageHeaders Owned()
    {
        var copy = new MessageHeaders();
        foreach (var header in _headers)
        {
            copy._headers.Add(header with { Value = (byte[]?)header.Value?.Clone() });
        }

        return copy;
    }

    // For what the client delivered: its names need no check.
    internal void AddReceived(string name, byte[]? value) => _headers.Add(new MessageHeader(name, value));
}
