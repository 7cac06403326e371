using System.Diagnostics.CodeAnalysis;

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
}
