using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The section <c>Kafka</c> of an <see cref="IConfiguration"/>. Applied after the environment and before code. Written by hand, because the
/// framework's binder stops at the first fault, and faults are reported together here, unknown keys among them; needs no reflection. Never throws.
/// </summary>
internal static class KafkaConfigurationSection
{
    private delegate void Bind(KafkaOptions options, string setting, string value);

    private static readonly Dictionary<string, Bind> Settings = new(StringComparer.OrdinalIgnoreCase)
    {
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
        [nameof(KafkaOptions.SessionTimeout)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.SessionTimeout = x),
        [nameof(KafkaOptions.MaxPollInterval)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.MaxPollInterval = x),
        [nameof(KafkaOptions.Parallelism)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.Parallelism = x),
        [nameof(KafkaOptions.BufferMessages)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.BufferMessages = x),
        [nameof(KafkaOptions.BufferBytes)] = (o, s, v) => SettingParser.Number<long>(o, s, v, x => o.BufferBytes = x),
        [nameof(KafkaOptions.MaxAhead)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxAhead = x),
        [nameof(KafkaOptions.BatchSize)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.BatchSize = x),
        [nameof(KafkaOptions.BatchWait)] = (o, s, v) => SettingParser.Time(o, s, v, x => o.BatchWait = x),
        [nameof(KafkaOptions.StartPosition)] = (o, s, v) => SettingParser.Enum<StartPosition>(o, s, v, x => o.StartPosition = x),
        [nameof(KafkaOptions.OnOutOfRange)] = (o, s, v) => SettingParser.Enum<OutOfRangePolicy>(o, s, v, x => o.OnOutOfRange = x),
        [nameof(KafkaOptions.OnUnhandled)] = (o, s, v) => SettingParser.Enum<UnhandledPolicy>(o, s, v, x => o.OnUnhandled = x),
        [nameof(KafkaOptions.Assignor)] = (o, s, v) => SettingParser.Enum<KafkaAssignor>(o, s, v, x => o.Assignor = x),
        [nameof(KafkaOptions.GroupProtocol)] = (o, s, v) => SettingParser.Enum<KafkaGroupProtocol>(o, s, v, x => o.GroupProtocol = x),
        [nameof(KafkaOptions.GroupInstanceId)] = (o, _, v) => o.GroupInstanceId = v,
        [nameof(KafkaOptions.TopicCreation)] = (o, s, v) => SettingParser.Enum<TopicCreation>(o, s, v, x => o.TopicCreation = x),
        [nameof(KafkaOptions.TopicPartitions)] = (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.TopicPartitions = x),
        [nameof(KafkaOptions.TopicReplicationFactor)] = (o, s, v) => SettingParser.Number<short>(o, s, v, x => o.TopicReplicationFactor = x),
    };

    private static readonly Dictionary<string, Bind> SslSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SslOptions.Enabled)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.Enabled = x),
        [nameof(SslOptions.RejectUnauthorized)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.RejectUnauthorized = x),
        [nameof(SslOptions.AllowUnverifiedInProduction)] = (o, s, v) => SettingParser.Boolean(o, s, v, x => o.Ssl.AllowUnverifiedInProduction = x),
        [nameof(SslOptions.Ca)] = (o, _, v) => o.Ssl.Ca = v,
    };

    private static readonly Dictionary<string, Bind> SaslSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SaslOptions.Mechanism)] = (o, _, v) => o.Sasl.Mechanism = v,
        [nameof(SaslOptions.Username)] = (o, _, v) => o.Sasl.Username = v,
        [nameof(SaslOptions.Password)] = (o, _, v) => o.Sasl.Password = v,
    };

    // What holds settings, each with one that it may hold.
    private static readonly Dictionary<string, string> Sections = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(KafkaOptions.Ssl)] = $"{nameof(SslOptions.Enabled)} = true",
        [nameof(KafkaOptions.Sasl)] = $"{nameof(SaslOptions.Username)} = …",
        [nameof(KafkaOptions.Topics)] = "orders = real-name",
        [nameof(KafkaOptions.Client)] = "client.rack = …",
    };

    // Written a level too high, these are still recognized.
    private static readonly Dictionary<string, string> Nested = SslSettings.Keys.Select(key => (Key: key, Path: $"{nameof(KafkaOptions.Ssl)}:{key}"))
        .Concat(SaslSettings.Keys.Select(key => (Key: key, Path: $"{nameof(KafkaOptions.Sasl)}:{key}")))
        .ToDictionary(setting => setting.Key, setting => setting.Path, StringComparer.OrdinalIgnoreCase);

    /// <summary>Applies the section <c>Kafka</c> (or the one given), and <c>ConnectionStrings:kafka</c> where the section names no brokers.</summary>
    public static void Apply(KafkaOptions options, IConfiguration configuration)
    {
        if (configuration["ConnectionStrings:kafka"] is { Length: > 0 } brokers)
        {
            options.Brokers = brokers;
        }

        var settings = configuration as IConfigurationSection ?? configuration.GetSection("Kafka");
        foreach (var child in settings.GetChildren())
        {
            switch (child.Key)
            {
                case var key when Is(key, nameof(KafkaOptions.Brokers)) && child.Value is null:
                    options.Brokers = string.Join(',', child.GetChildren().Select(broker => broker.Value));
                    break;
                case var key when child.Value is { Length: > 0 } && Sections.TryGetValue(key, out var example):
                    options.BindingFaults.Add($"{child.Path} has a value and is a section: write its parts, such as {child.Path}:{example}.");
                    break;
                case var key when Is(key, nameof(KafkaOptions.Ssl)):
                    ApplyAll(options, child, SslSettings);
                    break;
                case var key when Is(key, nameof(KafkaOptions.Sasl)):
                    ApplyAll(options, child, SaslSettings);
                    break;
                case var key when Is(key, nameof(KafkaOptions.Topics)):
                    Copy(child, options.Topics);
                    break;
                case var key when Is(key, nameof(KafkaOptions.Client)):
                    Copy(child, options.Client);
                    break;
                default:
                    ApplyOne(options, child, Settings);
                    break;
            }
        }

        static bool Is(string key, string name) => string.Equals(key, name, StringComparison.OrdinalIgnoreCase);
    }

    private static void Copy(IConfigurationSection from, IDictionary<string, string> to)
    {
        foreach (var child in from.GetChildren())
        {
            to[child.Key] = child.Value ?? "";
        }
    }

    private static void ApplyAll(KafkaOptions options, IConfigurationSection section, Dictionary<string, Bind> settings)
    {
        foreach (var child in section.GetChildren())
        {
            ApplyOne(options, child, settings);
        }
    }

    // A key that does nothing is a typo that would go to production: localhost:9092 instead of the brokers meant.
    private static string Unknown(IConfigurationSection section, string[] known)
    {
        var meant = Nested.TryGetValue(section.Key, out var nested) && !section.Path.EndsWith($":{nested}", StringComparison.OrdinalIgnoreCase)
            ? nested
            : NearestName.To(section.Key, known);
        return $"{section.Path} is no setting and would do nothing: {(meant is null ? "remove it." : $"did you mean {meant}?")}";
    }

    private static void ApplyOne(KafkaOptions options, IConfigurationSection section, Dictionary<string, Bind> settings)
    {
        if (!settings.TryGetValue(section.Key, out var bind))
        {
            options.BindingFaults.Add(Unknown(section, ReferenceEquals(settings, Settings) ? [.. settings.Keys, .. Sections.Keys] : [.. settings.Keys]));
        }
        else if (section.Value is null && section.GetChildren().Any())
        {
            options.BindingFaults.Add($"{section.Path} is a section and takes one value: write {section.Path} = ….");
        }
        else if (section.Value is { Length: > 0 } value)
        {
            bind(options, section.Path, value);
        }
    }
}
