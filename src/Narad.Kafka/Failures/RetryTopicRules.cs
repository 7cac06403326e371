using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Failures;

/// <summary>What a topic must be like so that messages can wait in it for their retries. No state.</summary>
internal static class RetryTopicRules
{
    /// <summary>What causes are reported under, before the topic's name.</summary>
    public const string Settings = "settings:";

    /// <summary>Why messages would be deleted while they wait, and what to set; null where they would not.</summary>
    public static string? Forgets(TopicDetails retries, TimeSpan maxDelay)
    {
        if (retries.Retention is { } kept && kept <= maxDelay)
        {
            return $"Retry topic '{retries.Name}' keeps messages for {Duration.Text(kept)} (retention.ms), and one may wait for "
                + $"{Duration.Text(maxDelay)}: it would be deleted before it is handled again. Set a longer retention "
                + "(kafka.Topics.SetRetentionAsync), or a shorter maxDelay in Retry(r => r.Topics(…)).";
        }

        return retries.CleanupPolicy.HasFlag(TopicCleanupPolicy.Compact)
            ? $"Retry topic '{retries.Name}' is compacted (cleanup.policy): of several failed messages of one key all but the last would be deleted "
                + "before they are handled again. Set cleanup.policy=delete."
            : null;
    }

    /// <summary>Says it where the settings came to be wrong, and where they are right again.</summary>
    public static void Check(TopicDetails retries, TimeSpan maxDelay, StallCauses causes, ILogger logger)
    {
        if (Forgets(retries, maxDelay) is not { } fault)
        {
            if (causes.Remove(Settings + retries.Name))
            {
                TopicsLog.RetriesAreKept(logger, retries.Name);
            }
        }
        else if (causes.Add(Settings + retries.Name, fault, neverUnhealthy: true))
        {
            TopicsLog.RetriesWillBeLost(logger, fault);
        }
    }
}
