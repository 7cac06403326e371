using System.Globalization;

namespace Narad.Kafka.Topics;

/// <summary>Checks what was asked for before any broker is asked. No state.</summary>
internal static class WantedTopics
{
    /// <summary>The topics, each once, their names and numbers checked.</summary>
    /// <exception cref="ArgumentException">A name is not legal, a number is out of range, or one topic is asked for in two ways.</exception>
    public static List<TopicSpec> Check(IEnumerable<TopicSpec> topics)
    {
        ArgumentNullException.ThrowIfNull(topics);
        var byName = new Dictionary<string, TopicSpec>(StringComparer.Ordinal);
        foreach (var spec in topics)
        {
            ArgumentNullException.ThrowIfNull(spec, nameof(topics));
            TopicName.Validate(spec.Name, nameof(topics));
            if (spec.Partitions is < 1 or > 10_000)
            {
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"Topic {spec.Name} cannot have {spec.Partitions} partitions: write 1 to 10,000, or null for the configured number."), nameof(topics));
            }

            if (spec.ReplicationFactor is 0 or < -1)
            {
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"Topic {spec.Name} cannot have {spec.ReplicationFactor} replicas: write 1 or more, −1 for the broker's default, or null for the "
                            + $"configured number."), nameof(topics));
            }

            if (!byName.TryAdd(spec.Name, spec) && byName[spec.Name] != spec)
            {
                throw new ArgumentException($"Topic {spec.Name} is asked for twice, differently.", nameof(topics));
            }
        }

        return [.. byName.Values];
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
}
