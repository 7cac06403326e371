using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>
/// A pattern of topic names that the client and this library read alike. It is refused before its group hears of it: a client that was told one
/// that it does not understand refuses all topics of the group with it, now and later.
/// </summary>
internal static partial class TopicPattern
{
    /// <summary>What matches the topics that the client will match.</summary>
    /// <exception cref="ArgumentException">It is no regular expression, or not one for both.</exception>
    public static Regex Of(string pattern)
    {
        try
        {
            var regex = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            return Unportable().Match(pattern) is { Success: true } unportable
                ? throw Refused(pattern, $"\"{unportable.Value}\" means something else to the client, which reads POSIX extended regular expressions; "
                    + "write [0-9] for a digit, (a|b) for a group", cause: null)
                : Refusal(pattern) is { } refusal ? throw Refused(pattern, refusal.Error.Reason, refusal) : regex;
        }
        catch (Exception error) when (error is RegexParseException or NotSupportedException)
        {
            throw Refused(pattern, error.Message, error);
        }
    }

    // The client's own opinion, from one that connects to nothing.
    private static KafkaException? Refusal(string pattern)
    {
        using var client = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { GroupId = "narad" }).SetLogHandler(static (_, _) => { }).Build();
        try
        {
            client.Subscribe(pattern);
            return null;
        }
        catch (KafkaException refusal)
        {
            return refusal;
        }
    }

    private static ArgumentException Refused(string pattern, string reason, Exception? cause) =>
        new($"\"{pattern}\" starts with ^, so it is a pattern of topic names, and it is not a regular expression that the client and this library "
            + $"both understand: {reason}", nameof(pattern), cause);

    [GeneratedRegex(@"\\[A-Za-z0-9]|\(\?", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Unportable();
}
