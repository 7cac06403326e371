using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Narad.Kafka.Topics;

/// <summary>The one place that says which topic names are legal, and how a logical name becomes a real one. Thread-safe: no state.</summary>
internal static class TopicName
{
    /// <summary>What to write.</summary>
    public const string Rule = "1 to 249 letters, digits, dots, underscores and hyphens, not dots alone";

    /// <summary>What a source topic's name gets for its retry topic, where no name was given.</summary>
    public const string RetrySuffix = "-retry";

    /// <summary>What a source topic's name gets for its dead-letter topic, where no name was given.</summary>
    public const string DeadLetterSuffix = "-dlt";

    private const int Longest = 249;   // Kafka's own limit: a log directory's name must fit a file system

    private static readonly SearchValues<char> Legal = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    /// <summary>Whether this is a pattern (a regular expression that starts with <c>^</c>) and no name.</summary>
    public static bool IsPattern(string topic) => topic.StartsWith('^');

    /// <summary>Whether Kafka takes the name; its rule for <c>group.instance.id</c> is the same.</summary>
    public static bool IsLegal(string? name) => Error(name) is null;

    /// <summary>Throws where Kafka would refuse the name, saying what is wrong and what to write.</summary>
    public static void Validate(string topic, [CallerArgumentExpression(nameof(topic))] string? parameter = null)
    {
        ArgumentNullException.ThrowIfNull(topic, parameter);
        if (Error(topic) is { } error)
        {
            throw new ArgumentException(error, parameter);
        }
    }

    /// <summary>
    /// The real name of a logical one, checked; a name that <see cref="KafkaOptions.TopicNames"/> does not map stands for itself. The names of a logical
    /// topic's retry and dead-letter topics
    /// follow from it: where <c>orders</c> stands for <c>shop-orders</c>, <c>orders-dlt</c> stands for <c>shop-orders-dlt</c>, unless it is mapped itself.
    /// </summary>
    public static string Resolve(KafkaOptions options, string topic, [CallerArgumentExpression(nameof(topic))] string? parameter = null)
    {
        ArgumentNullException.ThrowIfNull(topic, parameter);
        if (!TryMap(options, topic, out var real))
        {
            Validate(topic, parameter);
            return topic;
        }

        return Error(real) is { } error
            ? throw new ArgumentException($"Topic \"{topic}\" stands for \"{real}\" (KafkaOptions.TopicNames or a KAFKA_TOPIC_* variable). {error}", parameter)
            : real;
    }

    /// <summary>The real name of a logical one; null where that is not legal.</summary>
    public static string? TryResolve(KafkaOptions options, string topic)
    {
        var name = TryMap(options, topic, out var real) ? real : topic;
        return IsLegal(name) ? name : null;
    }

    private static bool TryMap(KafkaOptions options, string topic, [NotNullWhen(true)] out string? real)
    {
        if (options.TopicNames.TryGetValue(topic, out real))
        {
            return true;
        }

        foreach (var suffix in (ReadOnlySpan<string>)[RetrySuffix, DeadLetterSuffix])
        {
            if (options.TopicNames.Count > 0 && topic.EndsWith(suffix, StringComparison.Ordinal) && TryMap(options, topic[..^suffix.Length], out var source))
            {
                real = source + suffix;
                return true;
            }
        }

        return false;
    }

    /// <summary>What is wrong with a name; null where nothing is.</summary>
    public static string? Error(string? topic)
    {
        if (string.IsNullOrWhiteSpace(topic))
        {
            return $"A topic's name must not be empty: write {Rule}.";
        }

        if (topic is "." or "..")
        {
            return $"A topic must not be named \"{topic}\": write {Rule}.";
        }

        if (IsPattern(topic))
        {
            return $"\"{topic}\" is a pattern, and only subscriptions take patterns: write one topic's name.";
        }

        if (topic.Length > Longest)
        {
            return string.Create(
                CultureInfo.InvariantCulture, $"A topic's name must not be longer than 249 characters, and \"{topic.AsSpan(0, 40)}…\" has {topic.Length}.");
        }

        var illegal = topic.AsSpan().IndexOfAnyExcept(Legal);
        return illegal < 0
            ? null
            : string.Create(CultureInfo.InvariantCulture,
                $"\"{Printable(topic)}\" is not a legal topic name: {Describe(topic[illegal])} at position {illegal} is not allowed. Write letters, digits, "
                    + $"dots, underscores and hyphens, such as \"{Suggestion(topic)}\".");
    }

    private static string Describe(char illegal) => illegal switch
    {
        ' ' => "the space",
        '/' => "the slash",
        _ when char.IsControl(illegal) || char.IsSurrogate(illegal) || char.IsWhiteSpace(illegal) =>
            string.Create(CultureInfo.InvariantCulture, $"the character U+{(int)illegal:X4}"),
        _ => $"'{illegal}'",
    };

    private static string Printable(string topic) => string.Create(topic.Length, topic, (buffer, source) =>
    {
        for (var i = 0; i < buffer.Length; i++)
        {
            buffer[i] = char.IsControl(source[i]) || char.IsSurrogate(source[i]) ? '?' : source[i];
        }
    });

    private static string Suggestion(string topic) => string.Create(topic.Length, topic, (buffer, source) =>
    {
        for (var i = 0; i < buffer.Length; i++)
        {
            buffer[i] = Legal.Contains(source[i]) ? source[i] : '-';
        }
    });
}
