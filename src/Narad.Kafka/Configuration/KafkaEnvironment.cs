using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The <c>KAFKA_*</c> variables. Applied first, before configuration and code, so that these override them. Never throws: what cannot be read
/// is noted in the options and reported with everything else at start. An empty variable counts as not set.
/// </summary>
internal static class KafkaEnvironment
{
    public const string DefaultName = "Production";

    private const string Prefix = "KAFKA_";
    private const string TopicPrefix = Prefix + "TOPIC_";

    /// <summary>
    /// Returns the variables of this process. A value <c>KAFKA_*</c> of the host's configuration wins over the variable of that name, in any case of letters:
    /// the configuration knows the variables too, and whatever the application lets overrule them.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Variables(IConfiguration? configuration = null)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Key is string name && variable.Value is string value)
            {
                variables[name] = value;
            }
        }

        foreach (var setting in configuration?.GetChildren() ?? [])
        {
            if (setting.Value is { } value && setting.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                variables[setting.Key.ToUpperInvariant()] = value;
            }
        }

        return variables;
    }

    /// <summary>Whether the environment is Development.</summary>
    public static bool IsDevelopment(KafkaOptions options) => IsDevelopment(NameOf(options));

    /// <summary>Whether the name is that of Development: only there what endangers secrets is a warning.</summary>
    public static bool IsDevelopment(string name) => string.Equals(name, "Development", StringComparison.OrdinalIgnoreCase);

    /// <summary>The environment's name: the options' (a host sets it there), else the process's, else Production.</summary>
    public static string NameOf(KafkaOptions options, IReadOnlyDictionary<string, string>? variables = null)
    {
        if (!string.IsNullOrWhiteSpace(options.Environment))
        {
            return options.Environment.Trim();
        }

        variables ??= Variables();
        return Read(variables, "DOTNET_ENVIRONMENT") ?? Read(variables, "ASPNETCORE_ENVIRONMENT") ?? DefaultName;
    }

    public static void Apply(KafkaOptions options, IReadOnlyDictionary<string, string> variables)
    {
        Text("KAFKA_CLIENT_ID", value => options.ClientId = value);
        Text("KAFKA_BROKERS", value => options.Brokers = value);
        Text("KAFKA_CONSUMER_GROUP_ID", value => options.ConsumerGroupId = value);
        Text("KAFKA_MODE", value => SettingParser.Enum<KafkaMode>(options, "KAFKA_MODE", value, mode => options.Mode = mode));
        Text("KAFKA_SASL_MECHANISM", value => options.Sasl.Mechanism = value);
        Text("KAFKA_SASL_USERNAME", value => options.Sasl.Username = value);
        Text("KAFKA_SASL_PASSWORD", value => options.Sasl.Password = value, trim: false);
        Text("KAFKA_SSL_CA", value => options.Ssl.Ca = value);
        Text("KAFKA_SSL_CERT", value => options.Ssl.Certificate = value);
        Text("KAFKA_SSL_KEY", value => options.Ssl.Key = value);
        Text("KAFKA_SSL_KEY_PASSWORD", value => options.Ssl.KeyPassword = value, trim: false);
        Text("KAFKA_SSL_REJECT_UNAUTHORIZED", value =>
            SettingParser.Boolean(options, "KAFKA_SSL_REJECT_UNAUTHORIZED", value, reject => options.Ssl.RejectUnauthorized = reject));
        Tls();

        var links = ServiceLinks.Find(variables);
        if (links.Count > 0)
        {
            options.BindingWarnings.Add(
                $"{links.First()}{(links.Count == 1 ? " is a variable" : $" and {links.Count - 1} more are variables")} that Kubernetes adds for a service, "
                    + $"not a setting: ignored. Set enableServiceLinks: false in the pod's specification to be rid of them.");
        }

        foreach (var (name, value) in variables)
        {
            if (name.Length > TopicPrefix.Length && !links.Contains(name, StringComparer.Ordinal) && name.StartsWith(TopicPrefix, StringComparison.Ordinal)
                && !string.IsNullOrWhiteSpace(value))
            {
                options.TopicNames[LogicalTopic(name)] = value.Trim();
            }
        }

        options.Sources.RecordEnvironment(options, variables);

        void Text(string name, Action<string> set, bool trim = true)
        {
            if (Read(variables, name, trim) is { } value)
            {
                set(value);
            }
        }

        void Tls()
        {
            bool? older = null;
            bool? newer = null;
            Text("KAFKA_SSL", value => SettingParser.Boolean(options, "KAFKA_SSL", value, enabled => older = enabled));
            Text("KAFKA_SSL_ENABLED", value => SettingParser.Boolean(options, "KAFKA_SSL_ENABLED", value, enabled => newer = enabled));
            if ((newer ?? older) is { } enabled)
            {
                options.Ssl.Enabled = enabled;
            }

            if (older is not null && newer is not null && older != newer)
            {
                options.BindingWarnings.Add(
                    $"KAFKA_SSL_ENABLED={SettingParser.Write(newer.Value)} wins over KAFKA_SSL={SettingParser.Write(older.Value)}: remove one of them.");
            }
        }
    }

    /// <summary>The logical topic that a variable names: <c>KAFKA_TOPIC_CHAT_MESSAGES</c> is <c>chat-messages</c>.</summary>
    [SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "Logical names are lower case.")]
    public static string LogicalTopic(string variable) =>
        variable[TopicPrefix.Length..].ToLowerInvariant().Replace('_', '-');

    private static string? Read(IReadOnlyDictionary<string, string> variables, string name, bool trim = true) =>
        variables.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? (trim ? value.Trim() : value) : null;
}
