using System.Text.RegularExpressions;

namespace Narad.Kafka.Aws;

/// <summary>Which region a cluster is in. Thread-safe.</summary>
internal static partial class MskRegion
{
    /// <summary>As given, else as the brokers' names say it, else as the environment does.</summary>
    /// <exception cref="OAuthBearerTokenException">None of them says it.</exception>
    public static string Of(string? given, string brokers)
    {
        if (given is { Length: > 0 })
        {
            return given;
        }

        if (OfHost().Match(brokers) is { Success: true } found)
        {
            return found.Groups["region"].Value.ToLowerInvariant();
        }

        foreach (var variable in (ReadOnlySpan<string>)["AWS_REGION", "AWS_DEFAULT_REGION"])
        {
            if (Environment.GetEnvironmentVariable(variable)?.Trim() is { Length: > 0 } region && IsRegion(region))
            {
                return region;
            }
        }

        throw new OAuthBearerTokenException(
            "the AWS region is not known: the brokers' names do not say it, so name it, UseMskIam(\"eu-central-1\"), or set AWS_REGION");
    }

    /// <summary>Whether a text may be a region; the token's address is made of it.</summary>
    public static bool IsRegion(string region) => Name().IsMatch(region);

    // b-1.name.abc123.c2.kafka.eu-central-1.amazonaws.com:9098, boot-abc123.c1.kafka-serverless.eu-central-1.amazonaws.com:9098
    [GeneratedRegex(@"\.kafka(-serverless)?\.(?<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?(:|,|\s|$)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OfHost();

    [GeneratedRegex(@"\A[a-z]{2}(-[a-z0-9]+)+\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Name();
}
