using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Remembers what the environment and the configuration said about the settings that have a variable, so that one that is overruled can be named with the
/// source that wins. Values are compared and never shown. Not thread-safe: options are read by one thread at a time.
/// </summary>
internal sealed class SettingSources
{
    private static readonly (string Setting, string[] Variables, Func<KafkaOptions, string?> Value)[] Settings =
    [
        (nameof(KafkaOptions.ClientId), ["KAFKA_CLIENT_ID"], static o => o.ClientId),
        (nameof(KafkaOptions.Brokers), ["KAFKA_BROKERS"], static o => BrokerList.Normalize(o.Brokers)),
        (nameof(KafkaOptions.Mode), ["KAFKA_MODE"], static o => o.Mode.ToString()),
        (nameof(KafkaOptions.ConsumerGroupId), ["KAFKA_CONSUMER_GROUP_ID"], static o => o.ConsumerGroupId),
        ("Ssl:Enabled", ["KAFKA_SSL_ENABLED", "KAFKA_SSL"], static o => SettingParser.Write(o.Ssl.Enabled)),
        ("Ssl:RejectUnauthorized", ["KAFKA_SSL_REJECT_UNAUTHORIZED"], static o => SettingParser.Write(o.Ssl.RejectUnauthorized)),
        ("Ssl:Ca", ["KAFKA_SSL_CA"], static o => o.Ssl.Ca),
        ("Ssl:Certificate", ["KAFKA_SSL_CERT"], static o => o.Ssl.Certificate),
        ("Ssl:Key", ["KAFKA_SSL_KEY"], static o => o.Ssl.Key),
        ("Ssl:KeyPassword", ["KAFKA_SSL_KEY_PASSWORD"], static o => o.Ssl.KeyPassword),
        ("Sasl:Mechanism", ["KAFKA_SASL_MECHANISM"], static o => o.Sasl.Mechanism),
        ("Sasl:Username", ["KAFKA_SASL_USERNAME"], static o => o.Sasl.Username),
        ("Sasl:Password", ["KAFKA_SASL_PASSWORD"], static o => o.Sasl.Password),
    ];

    private readonly Dictionary<string, (string Variable, string? Value)> _environment = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Path, string? Value)> _configuration = new(StringComparer.Ordinal);

    /// <summary>Called when the variables were applied.</summary>
    public void RecordEnvironment(KafkaOptions options, IReadOnlyDictionary<string, string> variables)
    {
        foreach (var (setting, names, value) in Settings)
        {
            if (Array.Find(names, name => variables.TryGetValue(name, out var text) && !string.IsNullOrWhiteSpace(text)) is { } variable)
            {
                _environment[setting] = (variable, value(options));
            }
        }
    }

    /// <summary>Called when the section was applied.</summary>
    public void RecordConfiguration(KafkaOptions options, IConfiguration section)
    {
        foreach (var (setting, _, value) in Settings)
        {
            var given = section.GetSection(setting);
            if (!string.IsNullOrEmpty(given.Value) || given.GetChildren().Any())
            {
                _configuration[setting] = (given.Path, value(options));
            }
        }
    }

    /// <summary>What was overruled: its name, and a sentence that names the source that wins.</summary>
    public IEnumerable<(string Overruled, string Sentence)> Overruled(KafkaOptions options)
    {
        foreach (var (setting, _, value) in Settings)
        {
            var now = value(options);
            var fromConfiguration = _configuration.TryGetValue(setting, out var configured);
            var codeWins = fromConfiguration && !Same(configured.Value, now);
            if (codeWins)
            {
                yield return (configured.Path, $"{configured.Path} of the configuration is overruled by {Code(options)}: remove one of them.");
            }

            if (_environment.TryGetValue(setting, out var variable) && !Same(variable.Value, now))
            {
                yield return (variable.Variable,
                    $"{variable.Variable} is overruled by {(fromConfiguration && !codeWins ? $"{configured.Path} of the configuration" : Code(options))}: "
                        + $"remove one of them.");
            }
        }
    }

    private static string Code(KafkaOptions options) => options.Provider is KafkaProvider.Custom ? "code" : $"code or Kafka:Provider = {options.Provider}";

    private static bool Same(string? one, string? other) => string.Equals(one?.Trim() ?? "", other?.Trim() ?? "", StringComparison.Ordinal);
}
