using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Narad.Kafka;

/// <summary>Which dead letters: those that fit all that is set here.</summary>
public sealed record DeadLetterFilter
{
    /// <summary>Those that became dead letters at this time or later.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Those that became dead letters before this time.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>
    /// Those of this exception: its type's full name or the end of it behind a dot, such as <c>TimeoutException</c>. Case counts; types derived from it
    /// are others.
    /// </summary>
    public string? ExceptionType { get; init; }

    /// <summary>Those with this key; <see cref="MessageKey.None"/> for those without.</summary>
    public MessageKey? Key { get; init; }

    /// <summary>Those with a header of this name.</summary>
    public string? Header { get; init; }

    /// <summary>And with this value in one of them, as UTF-8.</summary>
    public string? HeaderValue { get; init; }

    /// <summary>Those that this group could not handle.</summary>
    public string? Group { get; init; }

    /// <summary>Those that came from this topic, by its real or its logical name.</summary>
    public string? SourceTopic { get; init; }

    /// <summary>Those for which this returns true. What it throws ends the call.</summary>
    public Func<DeadLetter, bool>? Where { get; init; }

    /// <summary>Refuses what would let nothing through, or something else than was meant.</summary>
    /// <exception cref="ArgumentException">It would.</exception>
    internal void Validate(string parameter)
    {
        if (HeaderValue is not null && Header is null)
        {
            throw new ArgumentException("A filter with a HeaderValue needs the Header's name.", parameter);
        }

        if (From >= Until)
        {
            throw new ArgumentException("A filter's From must be before its Until.", parameter);
        }
    }

    /// <summary>Whether it lets a dead letter through.</summary>
    internal bool Matches(DeadLetter letter) =>
        (From is not { } from || letter.Time >= from)
        && (Until is not { } until || letter.Time < until)
        && (Key is not { } key || letter.Key == key)
        && (Group is null || string.Equals(letter.Group, Group, StringComparison.Ordinal))
        && (SourceTopic is null || string.Equals(letter.SourceTopic, SourceTopic, StringComparison.Ordinal))
        && (ExceptionType is null || IsOfType(letter.ExceptionType))
        && (Header is null || HasHeader(letter.Headers))
        && (Where is null || Where(letter));

    /// <summary>A few letters that another filter does not have; null where everything is let through. A delegate has no say in it.</summary>
    internal string? Fingerprint()
    {
        if (this with { Where = null } == new DeadLetterFilter())
        {
            return null;
        }

        var text = new StringBuilder();
        foreach (var part in new[]
        {
            From?.UtcTicks.ToString(CultureInfo.InvariantCulture), Until?.UtcTicks.ToString(CultureInfo.InvariantCulture), ExceptionType,
            Key is { } key ? (key.IsNone ? "none" : Convert.ToHexString(key.ToBytes()!)) : null, Header, HeaderValue, Group, SourceTopic,
        })
        {
            text.Append(part is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"{part.Length}:{part}")).Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 6));
    }

    private bool IsOfType(string? found)
    {
        if (found is null || !found.EndsWith(ExceptionType!, StringComparison.Ordinal))
        {
            return false;
        }

        return found.Length == ExceptionType!.Length || found[found.Length - ExceptionType.Length - 1] is '.' or '+';
    }

    private bool HasHeader(MessageHeaders headers)
    {
        var wanted = HeaderValue is null ? null : Encoding.UTF8.GetBytes(HeaderValue);
        foreach (var header in headers)
        {
            if (string.Equals(header.Name, Header, StringComparison.Ordinal)
                && (wanted is null || (header.Value is { } value && value.AsSpan().SequenceEqual(wanted))))
            {
                return true;
            }
        }

        return false;
    }
}
