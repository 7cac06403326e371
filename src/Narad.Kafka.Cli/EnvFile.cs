using System.Text;

namespace Narad.Kafka.Cli;

/// <summary>
/// Reads a <c>.env</c> file literally, as dotenv does and a shell does not: nothing is expanded, so <c>$ConnectionString</c> stays what it is, and nothing
/// ends at a <c>;</c>.
/// </summary>
/// <remarks>
/// A line is <c>NAME=value</c>, with <c>export</c> before it or not; blank lines and lines that begin with <c>#</c> are comments. A value without quotes ends
/// at <c> #</c> and is trimmed. In single quotes everything stands for itself; in double quotes <c>\n</c>, <c>\r</c>, <c>\t</c>, <c>\"</c> and <c>\\</c> are
/// what they are elsewhere. A quoted value may have several lines. Of a name that is written twice the last value counts.
/// </remarks>
internal static class EnvFile
{
    /// <summary>The variables, in the order in which they were last written.</summary>
    /// <exception cref="FormatException">A line is none of these; the message names its number and never its value.</exception>
    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        var lines = text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n');
        for (var number = 0; number < lines.Length; number++)
        {
            var line = lines[number].Trim();
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            if (line.StartsWith("export ", StringComparison.Ordinal) || line.StartsWith("export\t", StringComparison.Ordinal))
            {
                line = line[7..].TrimStart();
            }

            var equals = line.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? "" : line[..equals].TrimEnd();
            if (name.Length == 0 || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-') || char.IsAsciiDigit(name[0]))
            {
                throw new FormatException($"line {number + 1} is no variable: write NAME=value, or # before a comment");
            }

            var value = line[(equals + 1)..].TrimStart();
            variables[name] = value is ['\'' or '"', ..] ? Quoted(value, lines, ref number) : Bare(value);
        }

        return variables;
    }

    private static string Bare(string value)
    {
        if (value.StartsWith('#'))
        {
            return "";
        }

        for (var i = 1; i < value.Length; i++)
        {
            if (value[i] == '#' && char.IsWhiteSpace(value[i - 1]))
            {
                return value[..i].TrimEnd();
            }
        }

        return value.TrimEnd();
    }

    private static string Quoted(string value, string[] lines, ref int number)
    {
        var quote = value[0];
        var first = number;
        var result = new StringBuilder();
        var position = 1;
        while (true)
        {
            for (; position < value.Length; position++)
            {
                if (value[position] == quote)
                {
                    var rest = value[(position + 1)..].TrimStart();
                    return rest.Length == 0 || rest[0] == '#'
                        ? result.ToString()
                        : throw new FormatException(
                            $"line {number + 1} continues behind its closing quote: write # before a comment, or use the other kind of quotes");
                }

                if (quote == '"' && value[position] == '\\' && position + 1 < value.Length)
                {
                    position++;
                    result.Append(value[position] switch
                    {
                        'n' => "\n",
                        'r' => "\r",
                        't' => "\t",
                        '"' => "\"",
                        '\\' => "\\",
                        var other => $"\\{other}",
                    });
                }
                else
                {
                    result.Append(value[position]);
                }
            }

            if (++number == lines.Length)
            {
                throw new FormatException($"line {first + 1} has an opening quote and no closing one");
            }

            result.Append('\n');
            value = lines[number];
            position = 0;
        }
    }
}
