using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// Makes text that came from outside safe to show: text of a record, certificate, broker, provider or caller, before it reaches a log, an exception, the
/// console or a page. Control characters and characters that change the direction of text are written as escapes, and long text is cut. Thread-safe.
/// </summary>
internal static class ForeignText
{
    /// <summary>The most characters of a name: what a record, a certificate or a caller names.</summary>
    public const int MostOfName = 100;

    /// <summary>The most characters of a sentence: why a broker, provider or exception says that something failed.</summary>
    public const int MostOfReason = 2_000;

    /// <summary>The most characters of a whole message of a log or an exception.</summary>
    public const int MostOfMessage = 16_000;

    /// <summary>A name, at most about <see cref="MostOfName"/> characters, on one line.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Name(string? text) => Show(text, MostOfName, keepsLines: false);

    /// <summary>A sentence, at most about <see cref="MostOfReason"/> characters, on one line.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Reason(string? text) => Show(text, MostOfReason, keepsLines: false);

    /// <summary>A whole message, at most about <see cref="MostOfMessage"/> characters, on one line.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Message(string? text) => Show(text, MostOfMessage, keepsLines: false);

    /// <summary>A whole message of several lines, whose line ends stay: only where a forged line cannot be taken for one of ours.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Lines(string? text) => Show(text, MostOfMessage, keepsLines: true);

    /// <summary>Whether <see cref="Lines"/> would change a text.</summary>
    public static bool IsUnsafe(string text) => text.Length > MostOfMessage || NeedsEscape(text, keepsLines: true);

    [return: NotNullIfNotNull(nameof(text))]
    private static string? Show(string? text, int most, bool keepsLines)
    {
        if (text is null || (text.Length <= most && !NeedsEscape(text, keepsLines)))
        {
            return text;
        }

        var shown = new StringBuilder(Math.Min(text.Length, most) + 32);
        var read = 0;
        while (read < text.Length && shown.Length < most)
        {
            if (!Rune.TryGetRuneAt(text, read, out var rune))
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[read]:x4}");   // half a character
                read++;
                continue;
            }

            var isPlain = IsPlain(text, read, rune, keepsLines);
            read += rune.Utf16SequenceLength;
            if (isPlain)
            {
                shown.Append(rune.ToString());
            }
            else
            {
                Escape(shown, rune);
            }
        }

        return read == text.Length ? shown.ToString() : shown.Append(CultureInfo.InvariantCulture, $"… ({text.Length} characters)").ToString();
    }

    private static bool NeedsEscape(string text, bool keepsLines)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is >= ' ' and <= '~')
            {
                continue;
            }

            if (!Rune.TryGetRuneAt(text, i, out var rune) || !IsPlain(text, i, rune, keepsLines))
            {
                return true;
            }

            i += rune.Utf16SequenceLength - 1;
        }

        return false;
    }

    // A carriage return alone would let what follows be written over what is in front. Format characters include those that reverse the direction of text or
    // have no width; a line or paragraph separator ends a line in some terminals.
    private static bool IsPlain(string text, int at, Rune rune, bool keepsLines) => rune.Value is '\n' or '\r'
        ? keepsLines && (rune.Value is '\n' || (at + 1 < text.Length && text[at + 1] is '\n'))
        : Rune.GetUnicodeCategory(rune) is not (
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);

    private static void Escape(StringBuilder shown, Rune rune) => _ = rune.Value switch
    {
        '\n' => shown.Append("\\n"),
        '\r' => shown.Append("\\r"),
        '\t' => shown.Append("\\t"),
        <= 0xFFFF => shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
        _ => shown.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
    };
}
