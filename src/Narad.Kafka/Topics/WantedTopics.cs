using System.Globalization;

namespace Narad.Kafka.Topics;

/// <summary>Checks what was asked for before any broker is asked. No state.</summary>
internal static class WantedTopics
{
    /// <summary>The topics, each once, their names and numbers checked; all that is set is in their settings.</summary>
    /// <exception cref="ArgumentException">A name is not legal, a number is out of range, or one topic is asked for in two ways.</exception>
    public static List<TopicSpec> Check(IEnumerable<TopicSpec> topics)
    {
        ArgumentNullException.ThrowIfNull(topics);
        var errors = new List<string>();
        var merged = Merge(topics.Select(static spec =>
        {
            ArgumentNullException.ThrowIfNull(spec, nameof(topics));
            TopicName.Validate(spec.Name, nameof(topics));
            return (spec.Name, spec);
        }), errors);
        return errors.Count == 0 ? merged : throw new ArgumentException(errors[0], nameof(topics));
    }

    /// <summary>
    /// The topics that were declared for a service, each once, by their real names; all that is set is in their settings. What is wrong is added to
    /// <paramref name="errors"/>.
    /// </summary>
    public static List<TopicSpec> Declared(KafkaOptions options, List<string> errors)
    {
        var named = new List<(string Real, TopicSpec Spec)>();
        foreach (var spec in options.Topics)
        {
            if (spec is null || TopicName.Error(spec.Name) is not null)
            {
                errors.Add(spec is null ? "A declared topic is null: remove it." : $"A topic is declared that cannot be: {TopicName.Error(spec.Name)}");
            }
            else if (TopicName.TryResolve(options, spec.Name) is { } real)   // one that stands for an illegal name is reported with TopicNames
            {
                named.Add((real, spec));
            }
        }

        return Merge(named, errors);
    }

    /// <summary>The names, each once, checked.</summary>
    public static HashSet<string> Names(IEnumerable<string> topics)
    {
        ArgumentNullException.ThrowIfNull(topics);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var topic in topics)
        {
            TopicName.Validate(topic, nameof(topics));
            names.Add(topic);
        }

        return names;
    }

    /// <summary>Throws where a topic exists with another number of partitions than was asked for by number.</summary>
    public static void CheckPartitions(TopicSpec wanted, int found)
    {
        if (wanted.Partitions is { } partitions && partitions != found)
        {
            throw new KafkaTopicException(
                string.Create(CultureInfo.InvariantCulture,
                    $"Topic {wanted.Name} exists with {found} partitions, and {partitions} were asked for. It stays as it is: ask for {found}, or let an "
                        + $"administrator change it (more partitions move keys to other partitions)."),
                wanted.Name);
        }
    }

    // What one leaves out, another of the same topic may say.
    private static List<TopicSpec> Merge(IEnumerable<(string Real, TopicSpec Spec)> topics, List<string> errors)
    {
        var merged = new Dictionary<string, (TopicSpec Spec, string Names)>(StringComparer.Ordinal);
        foreach (var (real, spec) in topics)
        {
            if (Error(spec) is { } error)
            {
                errors.Add(error);
                continue;
            }

            var wanted = spec with { Name = real, Settings = SettingsOf(spec), Retention = null, CleanupPolicy = null };
            if (!merged.TryGetValue(real, out var first))
            {
                merged[real] = (wanted, $"'{spec.Name}'");
                continue;
            }

            if (Contradictions(first.Spec, wanted) is { Count: > 0 } contradictions)
            {
                errors.Add(
                    $"Topic {real} is declared twice, and the declarations contradict each other: {first.Names} with "
                    + $"{string.Join(", ", contradictions.Select(static one => one.First))}, and '{spec.Name}' with "
                    + $"{string.Join(", ", contradictions.Select(static one => one.Second))}. Keep one of them.");
                continue;
            }

            merged[real] = (Both(first.Spec, wanted), first.Names);
        }

        return [.. merged.Values.Select(static topic => topic.Spec)];
    }

    /// <summary>What the first leaves out is as the second says.</summary>
    public static TopicSpec Both(TopicSpec first, TopicSpec second)
    {
        var settings = new Dictionary<string, string>(second.Settings ?? TopicSettings.None, StringComparer.Ordinal);
        foreach (var (name, value) in first.Settings ?? TopicSettings.None)
        {
            settings[name] = value;
        }

        return first with
        {
            Partitions = first.Partitions ?? second.Partitions,
            ReplicationFactor = first.ReplicationFactor ?? second.ReplicationFactor,
            Settings = settings.Count == 0 ? null : settings,
        };
    }

    private static string? Error(TopicSpec spec)
    {
        if (spec.Partitions is < 1 or > 10_000)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"Topic {spec.Name} cannot have {spec.Partitions} partitions: write 1 to 10,000, or null for the configured number.");
        }

        if (spec.ReplicationFactor is 0 or < -1)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"Topic {spec.Name} cannot have {spec.ReplicationFactor} replicas: write 1 or more, −1 for the broker's default, or null for the "
                    + $"configured number.");
        }

        if (!TopicSettings.IsRetention(spec.Retention))
        {
            return $"Topic {spec.Name} cannot keep its messages for {spec.Retention:c}: write 1 ms or more, Timeout.InfiniteTimeSpan for unlimited, or null "
                + "for the cluster's own.";
        }

        if (spec.CleanupPolicy is { } policy && (policy is TopicCleanupPolicy.None || policy > (TopicCleanupPolicy.Delete | TopicCleanupPolicy.Compact)))
        {
            return $"Topic {spec.Name} cannot have the cleanup policy {policy}: write Delete, Compact or both. To keep every message, set an unlimited "
                + "retention.";
        }

        foreach (var (name, value) in TopicSettings.FromProperties(spec))
        {
            if (spec.Settings?.GetValueOrDefault(name) is { } other && !TopicSettings.AreSame(name, value, other))
            {
                return $"Topic {spec.Name} has {name} = {value} by its property and {name} = {other} in Settings: keep one of them.";
            }
        }

        return null;
    }

    private static IReadOnlyDictionary<string, string>? SettingsOf(TopicSpec spec)
    {
        var settings = new Dictionary<string, string>(spec.Settings ?? TopicSettings.None, StringComparer.Ordinal);
        foreach (var (name, value) in TopicSettings.FromProperties(spec))
        {
            settings[name] = value;
        }

        return settings.Count == 0 ? null : settings;
    }

    private static List<(string First, string Second)> Contradictions(TopicSpec first, TopicSpec second)
    {
        var found = new List<(string, string)>();
        Compare("Partitions", first.Partitions, second.Partitions);
        Compare("ReplicationFactor", first.ReplicationFactor, second.ReplicationFactor);
        foreach (var (name, value) in first.Settings ?? TopicSettings.None)
        {
            if (second.Settings?.GetValueOrDefault(name) is { } other && !TopicSettings.AreSame(name, value, other))
            {
                found.Add(($"{name} = {value}", $"{name} = {other}"));
            }
        }

        return found;

        void Compare(string what, int? one, int? other)
        {
            if (one is { } mine && other is { } theirs && mine != theirs)
            {
                found.Add((string.Create(CultureInfo.InvariantCulture, $"{what} = {mine}"), string.Create(CultureInfo.InvariantCulture,
                    $"{what} = {theirs}")));
            }
        }
    }
}
