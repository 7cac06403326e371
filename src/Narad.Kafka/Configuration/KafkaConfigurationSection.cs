using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The section <c>Kafka</c> of an <see cref="IConfiguration"/>. Applied after the environment and before code. Written by hand, because the
/// framework's binder stops at the first error, and errors are reported together here, unknown keys among them; needs no reflection. Never throws.
/// </summary>
internal static class KafkaConfigurationSection
{
    private const string SchemaRegistrySection = "SchemaRegistry";

    private delegate void Bind(KafkaOptions options, string setting, string value);

    private static readonly Dictionary<string, Bind> Settings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(KafkaOptions.Provider)] = (o, s, v) => SettingParser.Enum<KafkaProvider>(o, s, v, x => o.Provider = x),
        [nameof(KafkaOptions.ClientId)] = (o, _, v) => o.ClientId = v,
        [nameof(KafkaOptions.Brokers)] = (o, _, v) => o.Brokers = v,
        [nameof(KafkaOptions.Mode)] = (o, s, v) => SettingParser.Enum<KafkaMode>(o, s, v, x => o.Mode = x),
        [nameof(KafkaOptions.ConsumerGroupId)] = (o, _, v) => o.ConsumerGroupId = v,
        [nameof(KafkaOptions.Environment)] = (o, _, v) => o.Environment = v,
        [nameof(KafkaOptions.ConnectTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.ConnectTimeout = x),
        [nameof(KafkaOptions.StartWithoutBroker)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.StartWithoutBroker = x),
        [nameof(KafkaOptions.SendTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.SendTimeout = x),
        [nameof(KafkaOptions.Linger)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.Linger = x),
        [nameof(KafkaOptions.Compression)] = (o, s, v) => SettingParser.Enum<KafkaCompression>(o, s, v, x => o.Compression = x),
        [nameof(KafkaOptions.MaxMessageBytes)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxMessageBytes = x),
        [nameof(KafkaOptions.ShutdownTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.ShutdownTimeout = x),
        [nameof(KafkaOptions.RevokeTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.RevokeTimeout = x),
        [nameof(KafkaOptions.CommitInterval)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.CommitInterval = x),
        [nameof(KafkaOptions.ProbeInterval)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.ProbeInterval = x),
        [nameof(KafkaOptions.DegradedAfter)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.DegradedAfter = x),
        [nameof(KafkaOptions.UnhealthyAfter)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.UnhealthyAfter = x),
        [nameof(KafkaOptions.SessionTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.SessionTimeout = x),
        [nameof(KafkaOptions.MaxPollInterval)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.MaxPollInterval = x),
        [nameof(KafkaOptions.Parallelism)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.Parallelism = x),
        [nameof(KafkaOptions.MaxBufferedMessages)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxBufferedMessages = x),
        [nameof(KafkaOptions.MaxBufferedBytes)] = (o, s, v) => SettingParser.Number<long>(o, s, v, x => o.MaxBufferedBytes = x),
        [nameof(KafkaOptions.MaxUncommittedMessages)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxUncommittedMessages = x),
        [nameof(KafkaOptions.MaxBatchSize)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxBatchSize = x),
        [nameof(KafkaOptions.MaxBatchWait)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.MaxBatchWait = x),
        [nameof(KafkaOptions.StartPosition)] = (o, s, v) => SettingParser.Enum<StartPosition>(o, s, v, x => o.StartPosition = x),
        [nameof(KafkaOptions.OnOutOfRange)] = (o, s, v) => SettingParser.Enum<OutOfRangePolicy>(o, s, v, x => o.OnOutOfRange = x),
        [nameof(KafkaOptions.OnUnhandled)] = (o, s, v) => SettingParser.Enum<UnhandledPolicy>(o, s, v, x => o.OnUnhandled = x),
        [nameof(KafkaOptions.Assignor)] = (o, s, v) => SettingParser.Enum<KafkaAssignor>(o, s, v, x => o.Assignor = x),
        [nameof(KafkaOptions.GroupProtocol)] = (o, s, v) => SettingParser.Enum<KafkaGroupProtocol>(o, s, v, x => o.GroupProtocol = x),
        [nameof(KafkaOptions.GroupInstanceId)] = (o, _, v) => o.GroupInstanceId = v,
        [nameof(KafkaOptions.ExceptionTextInHeaders)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.ExceptionTextInHeaders = x),
        [nameof(KafkaOptions.TopicCreation)] = (o, s, v) => SettingParser.Enum<TopicCreation>(o, s, v, x => o.TopicCreation = x),
        [nameof(KafkaOptions.TopicPartitions)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.TopicPartitions = x),
        [nameof(KafkaOptions.TopicReplicationFactor)] = (o, s, v) => SettingParser.Number<short>(o, s, v, x => o.TopicReplicationFactor = x),
        [nameof(KafkaOptions.OnTopicMismatch)] = (o, s, v) => SettingParser.Enum<TopicMismatchPolicy>(o, s, v, x => o.OnTopicMismatch = x),
    };

    private static readonly Dictionary<string, Bind> SslSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SslOptions.Enabled)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.Enabled = x),
        [nameof(SslOptions.RejectUnauthorized)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.RejectUnauthorized = x),
        [nameof(SslOptions.AllowUnverifiedInProduction)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.AllowUnverifiedInProduction = x),
        [nameof(SslOptions.Ca)] = (o, _, v) => o.Ssl.Ca = v,
        [nameof(SslOptions.Certificate)] = (o, _, v) => o.Ssl.Certificate = v,
        [nameof(SslOptions.Key)] = (o, _, v) => o.Ssl.Key = v,
        [nameof(SslOptions.KeyPassword)] = (o, _, v) => o.Ssl.KeyPassword = v,
    };

    private static readonly Dictionary<string, Bind> SaslSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SaslOptions.Mechanism)] = (o, _, v) => o.Sasl.Mechanism = v,
        [nameof(SaslOptions.Username)] = (o, _, v) => o.Sasl.Username = v,
        [nameof(SaslOptions.Password)] = (o, _, v) => o.Sasl.Password = v,
        [nameof(SaslOptions.AllowPlainWithoutTls)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Sasl.AllowPlainWithoutTls = x),
    };

    private static readonly Dictionary<string, Bind> OidcSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(OidcOptions.ClientId)] = (o, _, v) => Oidc(o).ClientId = v,
        [nameof(OidcOptions.ClientSecret)] = (o, _, v) => Oidc(o).ClientSecret = v,
        [nameof(OidcOptions.TokenEndpoint)] = (o, _, v) => Oidc(o).TokenEndpoint = v,
        [nameof(OidcOptions.Scope)] = (o, _, v) => Oidc(o).Scope = v,
        [nameof(OidcOptions.LogicalCluster)] = (o, _, v) => Oidc(o).LogicalCluster = v,
        [nameof(OidcOptions.IdentityPoolId)] = (o, _, v) => Oidc(o).IdentityPoolId = v,
    };

    // What holds settings, each with one that it may hold.
    private static readonly Dictionary<string, string> Sections = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(KafkaOptions.Ssl)] = $"{nameof(SslOptions.Enabled)} = true",
        [nameof(KafkaOptions.Sasl)] = $"{nameof(SaslOptions.Username)} = …",
        [nameof(KafkaOptions.TopicNames)] = "orders = real-name",
        [nameof(KafkaOptions.ClientProperties)] = "client.rack = …",
        [nameof(KafkaOptions.Subscriptions)] = "orders:Parallelism = 64",
        [nameof(KafkaOptions.Topics)] = "orders:Partitions = 12",
    };

    private static readonly Dictionary<string, string> SaslSections = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SaslOptions.Oidc)] = $"{nameof(OidcOptions.ClientId)} = …",
    };

    private static readonly Dictionary<string, string> NoSections = [];

    // Written at another level, or as the provider calls them, these are still recognized.
    private static readonly Dictionary<string, string> Elsewhere = new(
        [
            .. SslSettings.Keys.Select(key => KeyValuePair.Create(key, $"{nameof(KafkaOptions.Ssl)}:{key}")),
            .. SaslSettings.Keys.Concat(SaslSections.Keys).Select(key => KeyValuePair.Create(key, $"{nameof(KafkaOptions.Sasl)}:{key}")),
            .. OidcSettings.Keys.Select(key => KeyValuePair.Create(key, $"{nameof(KafkaOptions.Sasl)}:{nameof(SaslOptions.Oidc)}:{key}")),
            KeyValuePair.Create("ApiKey", $"{nameof(KafkaOptions.Sasl)}:{nameof(SaslOptions.Username)}"),
            KeyValuePair.Create("ApiSecret", $"{nameof(KafkaOptions.Sasl)}:{nameof(SaslOptions.Password)}"),
            KeyValuePair.Create("ConnectionString", $"{nameof(KafkaOptions.Sasl)}:{nameof(SaslOptions.Password)}"),
            KeyValuePair.Create("BootstrapServers", nameof(KafkaOptions.Brokers)),
        ],
        StringComparer.OrdinalIgnoreCase);

    // Sections below Kafka that belong to other packages, and to the outbox.
    private static readonly HashSet<string> PackageSections = new(StringComparer.OrdinalIgnoreCase) { "Mongo", "Outbox" };

    /// <summary>The settings that a section may hold, by their path below <c>Kafka</c>, in the order in which they are documented.</summary>
    public static IEnumerable<string> Names =>
    [
        .. Settings.Keys,
        .. SslSettings.Keys.Select(static key => $"{nameof(KafkaOptions.Ssl)}:{key}"),
        .. SaslSettings.Keys.Select(static key => $"{nameof(KafkaOptions.Sasl)}:{key}"),
        .. OidcSettings.Keys.Select(static key => $"{nameof(KafkaOptions.Sasl)}:{nameof(SaslOptions.Oidc)}:{key}"),
    ];

    /// <summary>Applies the section <c>Kafka</c> (or the one given), and <c>ConnectionStrings:kafka</c> where the section names no brokers.</summary>
    public static void Apply(KafkaOptions options, IConfiguration configuration)
    {
        if (configuration["ConnectionStrings:kafka"] is { Length: > 0 } brokers)
        {
            options.Brokers = brokers;
        }

        var settings = configuration as IConfigurationSection ?? configuration.GetSection("Kafka");

        // A provider's name stands for settings that stand beside it and change it, wherever in the section it is written.
        foreach (var child in settings.GetChildren().OrderByDescending(child => Is(child.Key, nameof(KafkaOptions.Provider))))
        {
            switch (child.Key)
            {
                case var key when Is(key, nameof(KafkaOptions.Brokers)) && child.Value is null:
                    options.Brokers = string.Join(',', child.GetChildren().Select(broker => broker.Value));
                    break;
                case var key when child.Value is { Length: > 0 } && Sections.TryGetValue(key, out var example):
                    options.BindingErrors.Add($"{child.Path} has a value and is a section: write its parts, such as {child.Path}:{example}.");
                    break;
                case var key when Is(key, nameof(KafkaOptions.Ssl)):
                    ApplyAll(options, child, SslSettings, NoSections);
                    break;
                case var key when Is(key, nameof(KafkaOptions.Sasl)):
                    ApplySasl(options, child);
                    break;
                case var key when Is(key, SchemaRegistrySection) && child.Value is null:
                    break;   // the package Narad.Kafka.SchemaRegistry reads it
                case var key when Is(key, nameof(KafkaOptions.TopicNames)):
                    Copy(child, options.TopicNames);
                    break;
                case var key when Is(key, nameof(KafkaOptions.ClientProperties)):
                    Copy(child, options.ClientProperties);
                    break;
                case var key when Is(key, nameof(KafkaOptions.Subscriptions)):
                    foreach (var subscription in child.GetChildren())
                    {
                        options.Subscriptions[subscription.Key] = subscription;
                    }

                    break;
                case var key when Is(key, nameof(KafkaOptions.Topics)):
                    foreach (var topic in child.GetChildren())
                    {
                        TopicSection.Apply(options, topic);
                    }

                    break;
                case var key when PackageSections.Contains(key) && child.Value is null:
                    break;   // the package reads it
                default:
                    ApplyOne(options, child, Settings, Sections);
                    break;
            }
        }

        options.Sources.RecordConfiguration(options, settings);
    }

    // Who names an identity provider wants its tokens.
    private static void ApplySasl(KafkaOptions options, IConfigurationSection section)
    {
        var oidc = section.GetSection(nameof(SaslOptions.Oidc));
        if (oidc.Value is { Length: > 0 })
        {
            options.BindingErrors.Add($"{oidc.Path} has a value and is a section: write its parts, such as {oidc.Path}:{SaslSections[oidc.Key]}.");
        }
        else if (oidc.GetChildren().Any())
        {
            options.Sasl.Mechanism = SaslMechanisms.OAuthBearer;
            ApplyAll(options, oidc, OidcSettings, NoSections);
        }

        ApplyAll(options, section, SaslSettings, SaslSections);
    }

    private static OidcOptions Oidc(KafkaOptions options) => options.Sasl.Oidc ??= new();

    private static bool Is(string key, string name) => string.Equals(key, name, StringComparison.OrdinalIgnoreCase);

    private static void Copy(IConfigurationSection from, IDictionary<string, string> to)
    {
        foreach (var child in from.GetChildren())
        {
            to[child.Key] = child.Value ?? "";
        }
    }

    private static void ApplyAll(KafkaOptions options, IConfigurationSection section, Dictionary<string, Bind> settings, Dictionary<string, string> sections)
    {
        foreach (var child in section.GetChildren().Where(child => !sections.ContainsKey(child.Key)))
        {
            ApplyOne(options, child, settings, sections);
        }
    }

    // A key that does nothing is a typo that would go to production: localhost:9092 instead of the brokers meant.
    private static string Unknown(IConfigurationSection section, IEnumerable<string> known)
    {
        // What has parts is compared with the sections first: Topic:orders means TopicNames:orders.
        var begun = section.GetChildren().Any() ? Sections.Keys.FirstOrDefault(name => name.StartsWith(section.Key, StringComparison.OrdinalIgnoreCase)) : null;
        var meant = Elsewhere.TryGetValue(section.Key, out var elsewhere) ? elsewhere : begun ?? NearestName.To(section.Key, known);
        return $"{section.Path} is no setting and would do nothing: {(meant is null ? "remove it." : $"did you mean {meant}?")}";
    }

    private static void ApplyOne(KafkaOptions options, IConfigurationSection section, Dictionary<string, Bind> settings, Dictionary<string, string> sections)
    {
        if (!settings.TryGetValue(section.Key, out var bind))
        {
            options.BindingErrors.Add(Unknown(section, settings.Keys.Concat(sections.Keys)));
        }
        else if (section.Value is null && section.GetChildren().Any())
        {
            options.BindingErrors.Add($"{section.Path} is a section and takes one value: write {section.Path} = ….");
        }
        else if (section.Value is { Length: > 0 } value)
        {
            bind(options, section.Path, value);
        }
    }
}
