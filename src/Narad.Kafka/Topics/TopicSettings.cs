using System.Collections.ObjectModel;
using System.Globalization;

namespace Narad.Kafka.Topics;

/// <summary>Topic settings as Kafka writes them, and what they mean. No state.</summary>
internal static class TopicSettings
{
    public const string Retention = "retention.ms";
    public const string CleanupPolicy = "cleanup.policy";
    public const string MaxMessageBytes = "max.message.bytes";

    /// <summary>No settings.</summary>
    public static readonly IReadOnlyDictionary<string, string> None = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The settings that a topic's properties stand for, as Kafka writes them.</summary>
    public static IEnumerable<KeyValuePair<string, string>> FromProperties(TopicSpec spec)
    {
        if (spec.Retention is { } retention)
        {
            yield return KeyValuePair.Create(Retention, RetentionText(retention));
        }

        if (spec.CleanupPolicy is { } policy)
        {
            yield return KeyValuePair.Create(CleanupPolicy, PolicyText(policy));
        }
    }

    /// <summary>A retention as Kafka writes it; null is unlimited.</summary>
    public static string RetentionText(TimeSpan? retention) =>
        IsUnlimited(retention) ? "-1" : ((long)retention!.Value.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    /// <summary>Refuses what cannot be a retention.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below a millisecond.</exception>
    public static void CheckRetention(TimeSpan? retention, string parameter)
    {
        if (!IsRetention(retention))
        {
            throw new ArgumentOutOfRangeException(parameter, retention, "A topic's retention is 1 ms or more, or null for unlimited.");
        }
    }

    /// <summary>Whether this can be a retention.</summary>
    public static bool IsRetention(TimeSpan? retention) => IsUnlimited(retention) || retention >= TimeSpan.FromMilliseconds(1);

    /// <summary>What becomes of old messages, as Kafka writes it.</summary>
    public static string PolicyText(TopicCleanupPolicy policy) => policy switch
    {
        TopicCleanupPolicy.Delete => "delete",
        TopicCleanupPolicy.Compact => "compact",
        _ => "compact,delete",
    };

    /// <summary>Whether two values of a setting mean the same.</summary>
    public static bool AreSame(string name, string? one, string? other) => string.Equals(name, CleanupPolicy, StringComparison.Ordinal)
        ? one is not null && other is not null && PolicyOf(one) == PolicyOf(other)
        : string.Equals(one?.Trim(), other?.Trim(), StringComparison.OrdinalIgnoreCase);

    private static bool IsUnlimited(TimeSpan? retention) => retention is null || retention == Timeout.InfiniteTimeSpan;

    /// <summary>What is known of a topic, with the values that hold for it.</summary>
    /// <param name="partitions">How many partitions it has.</param>
    /// <param name="replicas">How many replicas a partition has.</param>
    /// <param name="name">Its name.</param>
    /// <param name="value">The value of a setting that holds for the topic, whoever made it; null where there is none.</param>
    /// <param name="own">The settings made for this topic.</param>
    public static TopicDetails Describe(string name, int partitions, int replicas, Func<string, string?> value, IReadOnlyDictionary<string, string> own) =>
        new()
    {
        Name = name,
        Partitions = partitions,
        ReplicationFactor = replicas,
        Retention = value(Retention) is { } text && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds >= 0
            ? TimeSpan.FromMilliseconds(Math.Min(milliseconds, (long)TimeSpan.MaxValue.TotalMilliseconds))
            : null,
        MaxMessageBytes = int.TryParse(value(MaxMessageBytes), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : null,
        CleanupPolicy = value(CleanupPolicy) is { } policies ? PolicyOf(policies) : TopicCleanupPolicy.Delete,
        Settings = own,
        SettingInForce = value,
    };

    private static TopicCleanupPolicy PolicyOf(string policies)
    {
        var policy = TopicCleanupPolicy.None;
        foreach (var one in policies.Split(',', StringSplitOptions.TrimEntries))
        {
            policy |= one switch
            {
                "delete" => TopicCleanupPolicy.Delete,
                "compact" => TopicCleanupPolicy.Compact,
                _ => TopicCleanupPolicy.None,
            };
        }

        return policy;
    }
}
