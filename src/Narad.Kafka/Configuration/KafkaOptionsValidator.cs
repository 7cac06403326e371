using System.Globalization;
using Microsoft.Extensions.Options;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Finds every error of a configuration at once: a pure function of the options and the environment's name, apart from asking whether
/// the file of an authority exists, and the client what it thinks of raw properties. No sentence of it ever has a secret in it. Thread-safe.
/// </summary>
internal sealed class KafkaOptionsValidator : IValidateOptions<KafkaOptions>
{
    public ValidateOptionsResult Validate(string? name, KafkaOptions options)
    {
        var report = Check(options);
        return report.Errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(report.Errors);
    }

    /// <summary>Checks the options for this process's environment, or for the one named.</summary>
    public static ConfigurationReport Check(KafkaOptions options, string? environment = null)
    {
        var check = new Findings();
        check.Errors.AddRange(options.BindingErrors);
        check.Warnings.AddRange(options.BindingWarnings);
        var name = environment ?? KafkaEnvironment.NameOf(options);
        var production = string.Equals(name, KafkaEnvironment.DefaultName, StringComparison.OrdinalIgnoreCase);

        CheckRanges(options, check);
        CheckEnumerations(options, check);
        CheckTimes(options, check);
        CheckNames(options, check);
        check.Errors.AddRange(options.Routes.Errors(topic => TopicErrorOf(options, topic)));
        ClientPropertyRules.Check(options, check);
        if (options.Mode is KafkaMode.Kafka or KafkaMode.Auto)
        {
            CheckBrokers(options, check);
            SecurityRules.Check(options, strict: !KafkaEnvironment.IsDevelopment(name), check);
            ProviderRules.Check(options, check);
        }
        else if (options.Mode is KafkaMode.Console && production)
        {
            check.Warn("Mode", "Console", "this is Production, and nothing is sent: each message is only logged. Choose Kafka to send");
        }

        if (options.Mode is not KafkaMode.Console)
        {
            check.Errors.AddRange(ClientBuildCheck.Check(options, sound: check.Errors.Count == 0));
        }

        var overruled = options.Sources.Overruled(options).ToList();
        check.Warnings.AddRange(overruled.Select(setting => setting.Sentence));

        // An error names the setting with its variable, which nobody should change where it does nothing.
        return new ConfigurationReport(
            [.. check.Errors.Select(error => overruled.Where(setting => error.Contains($"({setting.Overruled})", StringComparison.Ordinal))
                .Aggregate(error, (text, setting) => $"{text} {setting.Sentence}"))],
            check.Warnings);
    }

    private static string? TopicErrorOf(KafkaOptions options, string topic)
    {
        try
        {
            TopicName.Resolve(options, topic);
            return null;
        }
        catch (ArgumentException error)
        {
            return error.Message;
        }
    }

    private static void CheckRanges(KafkaOptions options, Findings check)
    {
        Number(nameof(options.MaxMessageBytes), options.MaxMessageBytes, 1_000, 1_000_000_000);
        Number(nameof(options.Parallelism), options.Parallelism, 1, 10_000);
        Number(nameof(options.MaxBufferedMessages), options.MaxBufferedMessages, 10, 10_000_000);
        Number(nameof(options.MaxBufferedBytes), options.MaxBufferedBytes, 1L << 20, 64L << 30);
        Number(nameof(options.MaxUncommittedMessages), options.MaxUncommittedMessages, 1, 10_000_000);
        Number(nameof(options.MaxBatchSize), options.MaxBatchSize, 1, 100_000);
        Number(nameof(options.TopicPartitions), options.TopicPartitions, 1, 10_000);
        if (options.TopicReplicationFactor is not -1 and < 1)
        {
            check.Error(nameof(options.TopicReplicationFactor), options.TopicReplicationFactor, "write -1 for the broker's default, or 1 and more");
        }

        Time(nameof(options.ConnectTimeout), options.ConnectTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        Time(nameof(options.SendTimeout), options.SendTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        Time(nameof(options.Linger), options.Linger, TimeSpan.Zero, TimeSpan.FromSeconds(900));
        Time(nameof(options.ShutdownTimeout), options.ShutdownTimeout, TimeSpan.Zero, TimeSpan.FromHours(1));
        Time(nameof(options.CommitInterval), options.CommitInterval, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1));
        Time(nameof(options.ProbeInterval), options.ProbeInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(3));
        Time(nameof(options.DegradedAfter), options.DegradedAfter, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(24));
        Time(nameof(options.UnhealthyAfter), options.UnhealthyAfter, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(24));
        Time(nameof(options.SessionTimeout), options.SessionTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(30));
        Time(nameof(options.MaxPollInterval), options.MaxPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(24));
        Time(nameof(options.MaxBatchWait), options.MaxBatchWait, TimeSpan.Zero, TimeSpan.FromMinutes(1));

        void Number(string setting, long value, long min, long max)
        {
            if (value < min || value > max)
            {
                check.Error(setting, value, string.Create(CultureInfo.InvariantCulture, $"write a number from {min:N0} to {max:N0}"));
            }
        }

        void Time(string setting, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max)
            {
                check.Error(setting, value, $"write a time from {min:c} to {max:c}");
            }
        }
    }

    // Code can cast any number to these.
    private static void CheckEnumerations(KafkaOptions options, Findings check)
    {
        Defined(nameof(options.Provider), options.Provider);
        Defined(nameof(options.Mode), options.Mode);
        Defined(nameof(options.Compression), options.Compression);
        Defined(nameof(options.StartPosition), options.StartPosition);
        Defined(nameof(options.OnOutOfRange), options.OnOutOfRange);
        Defined(nameof(options.OnUnhandled), options.OnUnhandled);
        Defined(nameof(options.Assignor), options.Assignor);
        Defined(nameof(options.GroupProtocol), options.GroupProtocol);
        Defined(nameof(options.TopicCreation), options.TopicCreation);
        Defined(nameof(options.OnTopicMismatch), options.OnTopicMismatch);
        if (options is { GroupProtocol: KafkaGroupProtocol.Consumer, Assignor: KafkaAssignor.RoundRobin })
        {
            check.Error(nameof(options.Assignor), options.Assignor, "brokers of GroupProtocol Consumer know no round robin: choose CooperativeSticky or Range");
        }

        void Defined<T>(string setting, T value)
            where T : struct, Enum
        {
            if (!Enum.IsDefined(value))
            {
                check.Error(setting, value, $"write one of {string.Join(", ", Enum.GetNames<T>())}");
            }
        }
    }

    private static void CheckTimes(KafkaOptions options, Findings check)
    {
        if (options.GroupProtocol is KafkaGroupProtocol.Classic && options.MaxPollInterval < options.SessionTimeout)
        {
            check.Error(nameof(options.MaxPollInterval), options.MaxPollInterval, $"write at least SessionTimeout, which is {options.SessionTimeout:c}");
        }

        if (options.UnhealthyAfter < options.DegradedAfter)
        {
            check.Error(nameof(options.UnhealthyAfter), options.UnhealthyAfter, $"write at least DegradedAfter, which is {options.DegradedAfter:c}");
        }

        if (options.Linger >= options.SendTimeout)
        {
            check.Error(nameof(options.Linger), options.Linger, $"write less than SendTimeout, which is {options.SendTimeout:c}");
        }

        if (options.RevokeTimeout is { } revoke)
        {
            var half = options.MaxPollInterval / 2;
            if (revoke < TimeSpan.Zero)
            {
                check.Error(nameof(options.RevokeTimeout), revoke, "write a time of 0 or more, or nothing");
            }

            if (revoke > options.ShutdownTimeout)
            {
                check.Error(nameof(options.RevokeTimeout), revoke, $"write at most ShutdownTimeout, which is {options.ShutdownTimeout:c}");
            }

            if (revoke > half)
            {
                check.Error(nameof(options.RevokeTimeout), revoke, $"write at most {half:c}, half of MaxPollInterval: the group waits no longer for a member");
            }
        }
    }

    private static void CheckNames(KafkaOptions options, Findings check)
    {
        if (string.IsNullOrWhiteSpace(options.ClientId) || options.ClientId.Any(char.IsControl))
        {
            check.Error(nameof(options.ClientId), options.ClientId, "write a name, such as the application's");
        }

        if (options.ConsumerGroupId is not null && GroupName.Error(options.ConsumerGroupId) is { } group)
        {
            check.Error(nameof(options.ConsumerGroupId), options.ConsumerGroupId, group);
        }

        if (options.GroupInstanceId is not null && !TopicName.IsLegal(options.GroupInstanceId))
        {
            check.Error(nameof(options.GroupInstanceId), options.GroupInstanceId, $"write {TopicName.Rule}, or nothing");
        }

        foreach (var (logical, topic) in options.TopicNames)
        {
            if (!TopicName.IsLegal(topic))
            {
                check.Error($"TopicNames:{logical}", topic, $"write {TopicName.Rule}");
            }
        }

        WantedTopics.Declared(options, check.Errors);
    }

    private static void CheckBrokers(KafkaOptions options, Findings check)
    {
        var brokers = BrokerList.Split(options.Brokers);
        if (brokers.Length == 0)
        {
            check.Error(nameof(options.Brokers), "", "write host:port, and commas between several");
        }

        // Some errors say a part of the address again.
        foreach (var broker in brokers)
        {
            var text = BrokerList.Show(broker, options.Brokers);
            if (BrokerList.Error(broker, shown: ReferenceEquals(text, broker)) is { } error)
            {
                check.Error(nameof(options.Brokers), text, error);
            }
        }
    }
}
