using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Asks librdkafka what it thinks of raw properties, by building clients that connect to nothing. Only where there are raw properties: a
/// configuration without them costs nothing. Thread-safe.
/// </summary>
internal static partial class ClientBuildCheck
{
    private const string NotShown = "its value is not shown here.";
    private const int ShortestCut = 8;

    /// <summary>What librdkafka refuses: one sentence for each property, in its own words where these cannot hold a secret.</summary>
    /// <param name="options">The settings; properties that <see cref="ClientPropertyRules"/> has an error for are left out.</param>
    /// <param name="sound">
    /// Whether the settings have no error otherwise. Where they have one, no client could be built with them whatever the raw properties say: these are then
    /// tried beside the defaults.
    /// </param>
    public static IReadOnlyList<string> Check(KafkaOptions options, bool sound = true)
    {
        var errors = new List<string>();
        var left = options.ClientProperties.Where(property => !ClientPropertyRules.IsInvalid(property.Key, property.Value))
            .ToDictionary(StringComparer.Ordinal);
        var settings = sound ? options : new KafkaOptions { Mode = options.Mode };
        while (left.Count > 0 && Refusal(settings, left) is { } refusal)
        {
            var name = left.Keys.Where(refusal.Contains).OrderByDescending(candidate => candidate.Length).FirstOrDefault()
                ?? left.FirstOrDefault(property => Refusal(settings, new Dictionary<string, string>([property], StringComparer.Ordinal)) is not null).Key;
            if (name is null)
            {
                errors.Add($"Kafka:ClientProperties: the client refuses these properties together: {Hide(refusal, own: "", left.Values)}");
                break;
            }

            errors.Add($"Kafka:ClientProperties:{name}: the client refuses it: {(IsSensitive(name) ? NotShown : Hide(refusal, left[name], left.Values))}");
            left.Remove(name);
        }

        return errors;
    }

    // The first client that cannot be built; null where all can.
    private static string? Refusal(KafkaOptions options, Dictionary<string, string> properties)
    {
        var settings = new ClientSettings(options, "", embedded: options.Mode is KafkaMode.Embedded) { RawProperties = properties };
        try
        {
            new ProducerBuilder<byte[], byte[]>(settings.Producer()).SetLogHandler(Ignore).Build().Dispose();
            new ConsumerBuilder<byte[], byte[]>(settings.Consumer("narad")).SetLogHandler(Ignore).Build().Dispose();
            return null;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or KafkaException)
        {
            return e.Message;
        }

        // These clients have no brokers, which is all that they could say.
        static void Ignore<T>(T client, LogMessage line)
        {
        }
    }

    // Numbers and the client's own words are no secrets; whatever else could not be read may be one that was written into the wrong property.
    private static string Hide(string text, string own, IEnumerable<string> values)
    {
        var hidden = SecretHiding.Of(values.Where(value => !MayBeShown.AsNumber(value) && !MayBeShown.AsOneOf(value, ["true", "false"]))).Hide(text);

        // The client cuts what it says, and a value at its first NUL.
        return own.Length >= ShortestCut && hidden.Contains(own[..ShortestCut], StringComparison.Ordinal) ? NotShown : hidden;
    }

    private static bool IsSensitive(string name) => SensitiveName().IsMatch(name);

    [GeneratedRegex("password|secret|pem|key|token|config|passphrase", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SensitiveName();
}
