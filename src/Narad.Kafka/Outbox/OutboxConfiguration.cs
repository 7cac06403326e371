using System.Globalization;
using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Outbox;

/// <summary>Reads and validates <see cref="OutboxOptions"/>; needs no reflection.</summary>
internal static class OutboxConfiguration
{
    public const string Section = "Kafka:Outbox";

    private static readonly Dictionary<string, Func<OutboxOptions, string, bool>> Settings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(OutboxOptions.RelayEnabled)] = static (options, text) => bool.TryParse(text, out var value) && Set(() => options.RelayEnabled = value),
        [nameof(OutboxOptions.PollInterval)] = static (options, text) => Time(text, out var value) && Set(() => options.PollInterval = value),
        [nameof(OutboxOptions.MaxInFlight)] = static (options, text) => Number(text, out var value) && Set(() => options.MaxInFlight = value),
        [nameof(OutboxOptions.LeaseDuration)] = static (options, text) => Time(text, out var value) && Set(() => options.LeaseDuration = value),
        [nameof(OutboxOptions.MaxAttempts)] = static (options, text) => Number(text, out var value) && Set(() => options.MaxAttempts = value),
        [nameof(OutboxOptions.RetryDelay)] = static (options, text) => Time(text, out var value) && Set(() => options.RetryDelay = value),
        [nameof(OutboxOptions.MaxRetryDelay)] = static (options, text) => Time(text, out var value) && Set(() => options.MaxRetryDelay = value),
        [nameof(OutboxOptions.KeyAfterSetAside)] = static (options, text) =>
            Enum.TryParse<OutboxKeyPolicy>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) && Set(() => options.KeyAfterSetAside = value),
        [nameof(OutboxOptions.Retention)] = static (options, text) => Time(text, out var value) && Set(() => options.Retention = value),
        [nameof(OutboxOptions.CountInterval)] = static (options, text) => Time(text, out var value) && Set(() => options.CountInterval = value),
        [nameof(OutboxOptions.DegradedAfter)] = static (options, text) => Time(text, out var value) && Set(() => options.DegradedAfter = value),
        [nameof(OutboxOptions.UnhealthyAfter)] = static (options, text) => Time(text, out var value) && Set(() => options.UnhealthyAfter = value),
        [nameof(OutboxOptions.DegradedPending)] = static (options, text) => Number(text, out var value) && Set(() => options.DegradedPending = value),
        [nameof(OutboxOptions.UnhealthyPending)] = static (options, text) => Number(text, out var value) && Set(() => options.UnhealthyPending = value),
    };

    /// <summary>Applies a section.</summary>
    /// <exception cref="KafkaConfigurationException">It has a key that is no setting, or a value that cannot be read.</exception>
    public static void Apply(OutboxOptions options, IConfigurationSection? section)
    {
        var errors = new List<string>();
        foreach (var child in section?.GetChildren() ?? [])
        {
            if (!Settings.TryGetValue(child.Key, out var set))
            {
                var meant = NearestName.To(child.Key, Settings.Keys) is { } nearest ? $" Did you mean '{nearest}'?" : "";
                errors.Add($"{child.Path} is no setting.{meant} Write one of {string.Join(", ", Settings.Keys)}.");
            }
            else if (child.Value is { Length: > 0 } value && !set(options, value))
            {
                errors.Add($"{child.Path} = {value} cannot be read. Write a time as 00:00:15, a number as 1000, true or false, {nameof(OutboxKeyPolicy.Wait)} "
                    + $"or {nameof(OutboxKeyPolicy.Continue)}.");
            }
        }

        Throw(errors);
    }

    public static void ThrowIfInvalid(OutboxOptions options)
    {
        var errors = new List<string>();
        var day = TimeSpan.FromDays(1);
        var hour = TimeSpan.FromHours(1);
        CheckTime(nameof(options.PollInterval), options.PollInterval, TimeSpan.FromMilliseconds(10), hour);
        CheckTime(nameof(options.LeaseDuration), options.LeaseDuration, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        CheckTime(nameof(options.RetryDelay), options.RetryDelay, TimeSpan.FromMilliseconds(1), hour);
        CheckTime(nameof(options.MaxRetryDelay), options.MaxRetryDelay, options.RetryDelay, day);
        CheckTime(nameof(options.Retention), options.Retention, TimeSpan.Zero, TimeSpan.FromDays(366));
        CheckTime(nameof(options.CountInterval), options.CountInterval, TimeSpan.FromSeconds(1), hour);
        CheckTime(nameof(options.DegradedAfter), options.DegradedAfter, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(366));
        CheckTime(nameof(options.UnhealthyAfter), options.UnhealthyAfter, options.DegradedAfter, TimeSpan.FromDays(366));
        CheckNumber(nameof(options.MaxInFlight), options.MaxInFlight, 64, 100_000);
        CheckNumber(nameof(options.MaxAttempts), options.MaxAttempts, 1, 1_000);
        CheckNumber(nameof(options.DegradedPending), options.DegradedPending ?? 1, 1, long.MaxValue);
        CheckNumber(nameof(options.UnhealthyPending), options.UnhealthyPending ?? 1, 1, long.MaxValue);
        if (!Enum.IsDefined(options.KeyAfterSetAside))
        {
            errors.Add($"{Section}:{nameof(options.KeyAfterSetAside)} = {options.KeyAfterSetAside}: write {nameof(OutboxKeyPolicy.Wait)} or "
                + $"{nameof(OutboxKeyPolicy.Continue)}.");
        }

        Throw(errors);

        void CheckTime(string setting, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max)
            {
                errors.Add($"{Section}:{setting} = {value:c}: write a time from {min:c} to {max:c}.");
            }
        }

        void CheckNumber(string setting, long value, long min, long max)
        {
            if (value < min || value > max)
            {
                errors.Add(string.Create(CultureInfo.InvariantCulture, $"{Section}:{setting} = {value}: write a number from {min} to {max}."));
            }
        }
    }

    private static bool Time(string text, out TimeSpan value) => TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out value);

    private static bool Number(string text, out int value) => int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out value);

    private static bool Set(Action set)
    {
        set();
        return true;
    }

    private static void Throw(List<string> errors)
    {
        if (errors.Count > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }
}
