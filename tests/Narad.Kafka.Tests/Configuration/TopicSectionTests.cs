using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary><c>Kafka:Topics:{name}</c> declares a topic.</summary>
public sealed class TopicSectionTests
{
    [Fact]
    public void A_section_declares_a_topic_with_all_that_code_can_say()
    {
        var options = Bound(
            ("orders:Partitions", "12"), ("orders:ReplicationFactor", "3"), ("orders:Retention", "7.00:00:00"), ("orders:CleanupPolicy", "Compact, Delete"),
            ("orders:Settings:segment.bytes", "104857600"), ("audit:retention", "unlimited"), ("customers:CleanupPolicy", "Compact"));

        options.BindingErrors.Should().BeEmpty();
        options.Topics.Should().BeEquivalentTo(
        [
            new TopicSpec("orders", 12, 3, new Dictionary<string, string> { ["segment.bytes"] = "104857600" })
            {
                Retention = TimeSpan.FromDays(7),
                CleanupPolicy = TopicCleanupPolicy.Compact | TopicCleanupPolicy.Delete,
            },
            new TopicSpec("audit") { Retention = Timeout.InfiniteTimeSpan },
            new TopicSpec("customers") { CleanupPolicy = TopicCleanupPolicy.Compact },
        ]);
    }

    [Fact]
    public void What_cannot_be_read_is_reported_with_its_path_and_all_at_once()
    {
        var errors = Bound(
            ("orders:Partitons", "12"), ("orders:ReplicationFactor", "three"), ("orders:Retention", "7"), ("orders:CleanupPolicy", "Compact,Keep"),
            ("orders:Partitions:Count", "1"), ("audit", "yes")).BindingErrors;

        errors.Should().HaveCount(6);
        errors.Should().ContainMatch("Kafka:Topics:orders:Partitons is no setting*did you mean Partitions?");
        errors.Should().ContainMatch("Kafka:Topics:orders:ReplicationFactor *whole number*");
        errors.Should().ContainMatch("Kafka:Topics:orders:Retention = 7*hours:minutes:seconds*");
        errors.Should().ContainMatch("Kafka:Topics:orders:CleanupPolicy *Delete, Compact*");
        errors.Should().ContainMatch("Kafka:Topics:orders:Partitions is a section and takes one value*");
        errors.Should().ContainMatch("Kafka:Topics:audit has a value and is a section*");
    }

    [Fact]
    public void A_topic_that_configuration_and_code_declare_is_completed_or_refused_where_they_contradict_each_other()
    {
        var options = Bound(("orders:Partitions", "12"));
        options.Topics.Add(new TopicSpec("orders") { Retention = TimeSpan.FromDays(7) });
        KafkaOptionsValidator.Check(options).Errors.Should().BeEmpty();

        options.Topics.Add(new TopicSpec("orders", 6));
        KafkaOptionsValidator.Check(options).Errors.Should().ContainMatch("Topic orders is declared twice*Partitions = 12*Partitions = 6*");
    }

    private static KafkaOptions Bound(params (string Key, string Value)[] settings)
    {
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(
            options,
            new ConfigurationBuilder().AddInMemoryCollection(
                settings.Select(static setting => KeyValuePair.Create($"Kafka:Topics:{setting.Key}", (string?)setting.Value))).Build());
        return options;
    }
}
