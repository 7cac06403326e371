using System.Globalization;
using System.Text;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Failures;

/// <summary>
/// The headers that a record of a failed message carries beside the application's own: where it came from (written once) and what happened to it (replaced at
/// each republish). It never changes a header of the application, a <c>retry</c> of its own included: ours come last, and the last one counts.
/// </summary>
internal static class FailureHeaders
{
    /// <summary>What the names of all of ours begin with, but for <see cref="Retry"/>.</summary>
    public const string Prefix = "narad-";

    public const string Retry = "retry";
    public const string Topic = "narad-topic";
    public const string Partition = "narad-partition";
    public const string Offset = "narad-offset";
    public const string Timestamp = "narad-timestamp";
    public const string Group = "narad-group";
    public const string Due = "narad-due";
    public const string Writer = "narad-writer";
    public const string Committed = "narad-committed";
    public const string ExceptionType = "narad-exception-type";
    public const string ExceptionMessage = "narad-exception-message";
    public const string ExceptionStack = "narad-exception-stack";

    /// <summary>Who sent a dead letter again. It stands before ours and is none of them, so that it stays when the message fails once more.</summary>
    public const string Redriven = "narad-redriven";

    /// <summary>Beside <see cref="Redriven"/>: that the message is to be handled although it was handled before.</summary>
    public const string Forced = "narad-forced";

    // Of a record that says which records of a key are finished.
    private const string FinishedUpToHeader = "narad-released";
    private const string FinishedNextHeader = "narad-next";
    private const string DeadLetterKeyHeader = "narad-doomed";

    private const int MostTypeCharacters = 256;
    private const int MostMessageCharacters = 1_024;
    private const int MostStackCharacters = 4_096;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly string[] Ours =
        [Topic, Partition, Offset, Timestamp, Group, Retry, Due, Writer, Committed, FinishedUpToHeader, FinishedNextHeader, DeadLetterKeyHeader,
            RetrySeal.Header, ExceptionType, ExceptionMessage, ExceptionStack];

    /// <summary>The headers of a record.</summary>
    /// <param name="received">Those of the message in hand.</param>
    /// <param name="isRetryRecord">Whether that message is a record of ours, read from a retry topic: its own last set of our headers is replaced.</param>
    /// <param name="origin">Where the message came from at first.</param>
    /// <param name="retry">The attempt that the record is for; null in a dead letter that never was in a retry topic.</param>
    /// <param name="due">When it may be handled; null in a dead letter.</param>
    /// <param name="error">Why there is a record; null for one that only waits behind another.</param>
    /// <param name="detail">How much of the error fits.</param>
    /// <param name="stamp">Who writes it, where keys are kept in order.</param>
    public static MessageHeaders For(
        MessageHeaders received, bool isRetryRecord, FailureOrigin origin, int? retry, DateTimeOffset? due, Exception? error,
            FailureDetail detail = FailureDetail.Stack, WriterStamp? stamp = null)
    {
        var headers = Application(received, isRetryRecord);
        AddOrigin(headers, origin);
        if (retry is { } attempt)
        {
            headers.Add(Retry, Number(attempt));
        }

        if (due is { } time)
        {
            headers.Add(Due, Number(time.ToUnixTimeMilliseconds()));
        }

        AddStamp(headers, stamp);
        if (error is null)
        {
            return headers;
        }

        if (detail >= FailureDetail.Type)
        {
            headers.Add(ExceptionType, Cut(error.GetType().FullName ?? error.GetType().Name, MostTypeCharacters));
        }

        if (detail >= FailureDetail.Message)
        {
            headers.Add(ExceptionMessage, Cut(ExceptionText.Message(error), MostMessageCharacters));
        }

        if (detail >= FailureDetail.Stack)
        {
            headers.Add(ExceptionStack, Cut(ExceptionText.StackTrace(error), MostStackCharacters));
        }

        return headers;
    }

    /// <summary>The headers of a dead letter that goes to its group's retry topic again: with all attempts, due at once.</summary>
    /// <param name="deadLetter">Those that it has.</param>
    /// <param name="origin">Where the message came from at first: what they say.</param>
    /// <param name="audit">Who sends it again; null where there is no room for that.</param>
    /// <param name="due">Now.</param>
    /// <param name="isForced">Whether it is handled again where it was handled before.</param>
    public static MessageHeaders ForRedrive(MessageHeaders deadLetter, FailureOrigin origin, string? audit, DateTimeOffset due, bool isForced = false)
    {
        var headers = ForEveryGroup(deadLetter, audit, isForced);
        AddOrigin(headers, origin);
        headers.Add(Retry, Number(0));
        headers.Add(Due, Number(due.ToUnixTimeMilliseconds()));
        return headers;
    }

    /// <summary>The headers of a dead letter that goes to its source topic again: the application's, and who sends it.</summary>
    public static MessageHeaders ForEveryGroup(MessageHeaders deadLetter, string? audit, bool isForced = false)
    {
        // All of them, whoever wrote them: one that stayed would be believed where it arrives.
        var headers = new MessageHeaders(WithoutOurs(deadLetter).Where(static header => !header.Name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)));
        if (isForced)
        {
            headers.Add(Forced, Number(1));
        }

        return audit is null ? headers : headers.Add(Redriven, audit);
    }

    /// <summary>What the application sent, of a message as it came or of a record of ours.</summary>
    public static MessageHeaders Application(MessageHeaders received, bool isRetryRecord) => isRetryRecord ? WithoutOurs(received)
        : new MessageHeaders(received);

    /// <summary>
    /// What a handler sees: the headers that the application sent, without trace context, which belongs to the message's own activity, and without ours,
    /// which have members of their own in the context. What looks like ours in a message that is no record is somebody else's, and stays.
    /// </summary>
    public static MessageHeaders ForHandler(MessageHeaders received, bool isRetryRecord)
    {
        var start = isRetryRecord ? StartOfAny(received) : received.Count;
        var shown = new MessageHeaders();
        for (var i = 0; i < received.Count; i++)
        {
            var name = received[i].Name;
            if (name is not (Redriven or Forced) && !TraceHeaders.IsTrace(name) && (i < start || !Ours.Contains(name, StringComparer.Ordinal)))
            {
                shown.AddReceived(name, received[i].Value);
            }
        }

        return shown;
    }

    /// <summary>Why a record was written; null where it does not say.</summary>
    public static MessageFailure? FailureOf(MessageHeaders received) => TextOf(received, ExceptionType) is { } type
        ? new MessageFailure(type, TextOf(received, ExceptionMessage), TextOf(received, ExceptionStack))
        : null;

    /// <summary>What the application sent: a record's headers without our last set of them, which begins with the topic that it came from.</summary>
    public static MessageHeaders WithoutOurs(MessageHeaders received)
    {
        var start = StartOfOurs(received);
        var kept = new MessageHeaders();
        for (var i = 0; i < received.Count; i++)
        {
            if (i < start || !Ours.Contains(received[i].Name, StringComparer.Ordinal))
            {
                kept.AddReceived(received[i].Name, received[i].Value);
            }
        }

        return kept;
    }

    /// <summary>The headers of a record that is written again as it is, by somebody else.</summary>
    public static MessageHeaders WithStamp(MessageHeaders received, in WriterStamp stamp)
    {
        var start = StartOfOurs(received);
        var headers = new MessageHeaders();
        for (var i = 0; i < received.Count; i++)
        {
            if (i < start || received[i].Name is not (Writer or Committed or FinishedUpToHeader or FinishedNextHeader or RetrySeal.Header))
            {
                headers.AddReceived(received[i].Name, received[i].Value);
            }
        }

        AddStamp(headers, stamp);
        return headers;
    }

    /// <summary>The headers of a record that stands for no message and only says which records of its key are finished.</summary>
    public static MessageHeaders ForKeyCheckpoint(FailureOrigin origin, in WriterStamp stamp)
    {
        var headers = new MessageHeaders();
        AddOrigin(headers, origin);
        AddStamp(headers, stamp);
        return stamp.Finished is { DeadLetterOthers: true } ? headers.Add(DeadLetterKeyHeader, Number(1)) : headers;
    }

    /// <summary>Which records of its key are finished, by what a record says; null where it says nothing.</summary>
    public static FinishedRecords? FinishedOf(MessageHeaders record)
    {
        var start = StartOfOurs(record);
        return start < record.Count && Number(record, start, FinishedUpToHeader) is { } upTo && Number(record, start, FinishedNextHeader) is { } next
            ? new FinishedRecords(upTo, next, Number(record, start, DeadLetterKeyHeader) is not null)
            : null;
    }

    /// <summary>Whether a record stands for no message.</summary>
    public static bool IsKeyCheckpoint(MessageHeaders record) => FinishedOf(record) is not null && Find(record, StartOfOurs(record), Due) is null;

    /// <summary>Whether a record says something that only members of its group can know.</summary>
    public static bool HasClaims(MessageHeaders record)
    {
        var start = StartOfAny(record);
        return Find(record, start, Writer) is not null || Find(record, start, FinishedUpToHeader) is not null
            || Find(record, start, RetrySeal.Header) is not null;
    }

    /// <summary>Where a record's message came from at first; null where that is not said, or not in a way that could be ours.</summary>
    public static FailureOrigin? OriginOf(MessageHeaders received)
    {
        var start = StartOfOurs(received);
        return start < received.Count
            && Text(received, start, Topic) is { Length: > 0 and <= 249 } topic
            && Text(received, start, Group) is { Length: > 0 } group
            && Number(received, start, Partition) is >= 0 and <= int.MaxValue and { } partition
            && Number(received, start, Offset) is >= 0 and { } offset
            && Number(received, start, Timestamp) is { } timestamp
            ? new FailureOrigin(topic, (int)partition, offset, timestamp, group)
            : null;
    }

    /// <summary>The group that a record is for, as it is written; null where none is named.</summary>
    public static byte[]? GroupOf(MessageHeaders received) => Find(received, StartOfAny(received), Group) is { Length: > 0 } group ? group : null;

    /// <summary>
    /// The attempt that a record is for: at most the policy's, and 0 where the message was sent again by hand and has all of them before it; a missing or
    /// malformed one is the first.
    /// </summary>
    public static int AttemptOf(MessageHeaders received, int attempts)
        => (int)Math.Min(Number(received, StartOfAny(received), Retry) is >= 0 and { } attempt ? attempt : 1, attempts);

    /// <summary>
    /// When a record may be handled: no later than <paramref name="longest"/> after it was written, whatever it says; a missing or malformed time is that
    /// of its writing.
    /// </summary>
    public static DateTimeOffset DueOf(MessageHeaders received, DateTimeOffset written, TimeSpan longest)
    {
        var earliest = written.ToUnixTimeMilliseconds();
        var latest = earliest + (long)longest.TotalMilliseconds;
        var due = Math.Clamp(Number(received, StartOfAny(received), Due) ?? earliest, 0, latest);
        return DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(due, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()));
    }

    /// <summary>
    /// A header of ours as text; null where there is none, or it is not UTF-8. Where another system wrote the record, of any header so named.
    /// </summary>
    public static string? TextOf(MessageHeaders received, string name) => Text(received, StartOfAny(received), name);

    /// <summary>A header of ours as a number; null where there is none, or it is not one.</summary>
    public static long? NumberOf(MessageHeaders received, string name) => Number(received, StartOfAny(received), name);

    /// <summary>Who sent the message again; null where nobody did.</summary>
    public static string? RedrivenOf(MessageHeaders received) => Text(received, 0, Redriven);

    /// <summary>Whether it is to be handled although it was handled before.</summary>
    public static bool IsForced(MessageHeaders received) => Find(received, 0, Forced) is not null && RedrivenOf(received) is not null;

    private static void AddOrigin(MessageHeaders headers, FailureOrigin origin)
    {
        headers.Add(Topic, origin.Topic);
        headers.Add(Partition, Number(origin.Partition));
        headers.Add(Offset, Number(origin.Offset));
        headers.Add(Timestamp, Number(origin.Timestamp));
        headers.Add(Group, origin.Group);
    }

    private static void AddStamp(MessageHeaders headers, WriterStamp? stamp)
    {
        if (stamp is not { } mine)
        {
            return;
        }

        headers.Add(Writer, mine.Writer);
        if (mine.Committed is { } committed)
        {
            headers.Add(Committed, Number(committed));
        }

        if (mine.Finished is { } finishedRecords)
        {
            headers.Add(FinishedUpToHeader, Number(finishedRecords.UpTo));
            headers.Add(FinishedNextHeader, Number(finishedRecords.Next));
        }
    }

    private static int StartOfOurs(MessageHeaders received)
    {
        for (var i = received.Count - 1; i >= 0; i--)
        {
            if (string.Equals(received[i].Name, Topic, StringComparison.Ordinal))
            {
                return i;
            }
        }

        return received.Count;
    }

    // What another system wrote into the retry topic has no set of ours, but may have the attempt.
    private static int StartOfAny(MessageHeaders received) => StartOfOurs(received) is var start && start < received.Count ? start : 0;

    private static byte[]? Find(MessageHeaders received, int start, string name)
    {
        for (var i = received.Count - 1; i >= start; i--)
        {
            if (string.Equals(received[i].Name, name, StringComparison.Ordinal))
            {
                return received[i].Value;
            }
        }

        return null;
    }

    // Only what is UTF-8: what is not cannot be ours.
    private static string? Text(MessageHeaders received, int start, string name)
    {
        try
        {
            return Find(received, start, name) is { } value ? Strict.GetString(value) : null;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    // ASCII decimal digits, a minus at most before them.
    private static long? Number(MessageHeaders received, int start, string name)
        => Find(received, start, name) is { Length: > 0 and <= 20 } value
            && value[0] != (byte)'+'
            && long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static byte[] Cut(string text, int characters)
    {
        if (text.Length > characters)
        {
            // Never half a character.
            text = text[..(char.IsHighSurrogate(text[characters - 1]) ? characters - 1 : characters)];
        }

        return Encoding.UTF8.GetBytes(text);
    }
}
