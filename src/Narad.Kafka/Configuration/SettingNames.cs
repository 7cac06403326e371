using System.Collections.Frozen;

namespace Narad.Kafka.Configuration;

/// <summary>What a setting is called where people set it.</summary>
internal static class SettingNames
{
    private static readonly FrozenDictionary<string, string> Variables = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["ClientId"] = "KAFKA_CLIENT_ID",
        ["Brokers"] = "KAFKA_BROKERS",
        ["Mode"] = "KAFKA_MODE",
        ["ConsumerGroupId"] = "KAFKA_CONSUMER_GROUP_ID",
        ["Ssl:Enabled"] = "KAFKA_SSL_ENABLED",
        ["Ssl:RejectUnauthorized"] = "KAFKA_SSL_REJECT_UNAUTHORIZED",
        ["Ssl:Ca"] = "KAFKA_SSL_CA",
        ["Ssl:Certificate"] = "KAFKA_SSL_CERT",
        ["Ssl:Key"] = "KAFKA_SSL_KEY",
        ["Ssl:KeyPassword"] = "KAFKA_SSL_KEY_PASSWORD",
        ["Sasl:Mechanism"] = "KAFKA_SASL_MECHANISM",
        ["Sasl:Username"] = "KAFKA_SASL_USERNAME",
        ["Sasl:Password"] = "KAFKA_SASL_PASSWORD",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary><c>Kafka:Brokers (KAFKA_BROKERS)</c>.</summary>
    public static string Of(string setting) =>
        Variables.TryGetValue(setting, out var variable) ? $"Kafka:{setting} ({variable})" : $"Kafka:{setting}";

    /// <summary>The variable of a setting; null where it has none.</summary>
    public static string? VariableOf(string setting) => Variables.GetValueOrDefault(setting);
}
