using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Narad.Kafka.Configuration;

/// <summary>Tells certificates given as text from certificates given as a file.</summary>
internal static class CertificateText
{
    /// <summary>The PEM text, where <paramref name="value"/> is one: line breaks may be written as <c>\n</c>, as env files have to.</summary>
    public static bool TryPem(string? value, [NotNullWhen(true)] out string? pem)
    {
        var isPem = value?.Contains("-----BEGIN", StringComparison.Ordinal) is true;
        pem = isPem ? value!.Replace("\\n", "\n", StringComparison.Ordinal).Trim() + "\n" : null;
        return isPem;
    }

    /// <summary>The blocks of a PEM text whose label ends so, such as <c>PRIVATE KEY</c>; empty where there are none.</summary>
    public static string Blocks(string pem, string label)
    {
        var blocks = new StringBuilder();
        for (var rest = pem.AsSpan(); PemEncoding.TryFind(rest, out var found); rest = rest[found.Location.End..])
        {
            if (rest[found.Label].EndsWith(label, StringComparison.Ordinal))
            {
                blocks.Append(rest[found.Location]).Append('\n');
            }
        }

        return blocks.ToString();
    }
}
