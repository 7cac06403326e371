using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The section <c>Kafka:Topics:{name}</c>: a declared topic. Errors are collected in the options, unknown keys included; needs no reflection. Never throws.
/// </summary>
internal static class TopicSection
{
    private const string Unlimited = "Unlimited";

    private static readonly string[] Settings =
        [nameof(TopicSpec.Partitions), nameof(TopicSpec.ReplicationFactor), nameof(TopicSpec.Retention), nameof(TopicSpec.CleanupPolicy),
            nameof(TopicSpec.Settings)];

    /// <summary>Adds the topic to those that are declared.</summary>
    public static void Apply(KafkaOptions options, IConfigurationSection section)
    {
        if (section.Value is { Length: > 0 })
        {
            options.BindingErrors.Add($"{section.Path} has a value and is a section: write its parts, such as {section.Path}:{Settings[0]} = 12.");
        }

        var spec = new TopicSpec(section.Key);
        foreach (var child in section.GetChildren())
        {
            spec = Apply(spec, options, child);
        }

        options.Topics.Add(spec);
    }

    private static TopicSpec Apply(TopicSpec spec, KafkaOptions options, IConfigurationSection child)
    {
        var (path, value) = (child.Path, child.Value);
        switch (Array.Find(Settings, name => string.Equals(name, child.Key, StringComparison.OrdinalIgnoreCase)))
        {
            case nameof(TopicSpec.Settings):
                return spec with
                {
                    Settings = child.GetChildren().ToDictionary(static setting => setting.Key, static setting => setting.Value ?? "", StringComparer.Ordinal),
                };
            case null:
                var meant = NearestName.To(child.Key, Settings);
                options.BindingErrors.Add($"{path} is no setting and would do nothing: {(meant is null ? "remove it." : $"did you mean {meant}?")}");
                return spec;
            case var _ when child.GetChildren().Any():
                options.BindingErrors.Add($"{path} is a section and takes one value: write {path} = ….");
                return spec;
            case var _ when string.IsNullOrEmpty(value):
                return spec;
            case nameof(TopicSpec.Partitions):
                SettingParser.Number<int>(options, path, value, partitions => spec = spec with { Partitions = partitions });
                return spec;
            case nameof(TopicSpec.ReplicationFactor):
                SettingParser.Number<short>(options, path, value, replicas => spec = spec with { ReplicationFactor = replicas });
                return spec;
            case nameof(TopicSpec.Retention) when string.Equals(value, Unlimited, StringComparison.OrdinalIgnoreCase):
                return spec with { Retention = Timeout.InfiniteTimeSpan };
            case nameof(TopicSpec.Retention):
                SettingParser.Time(options, path, value, retention => spec = spec with { Retention = retention });
                return spec;
            default:
                foreach (var policy in value.Split(','))
                {
                    SettingParser.Enum<TopicCleanupPolicy>(
                        options, path, policy, one => spec = spec with { CleanupPolicy = spec.CleanupPolicy.GetValueOrDefault() | one });
                }

                return spec;
        }
    }
}
