using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The section <c>Kafka:Subscriptions:{topic or name}</c>. Applied before code. Errors are collected in the options, unknown keys included; needs no
/// reflection. Never throws.
/// </summary>
internal static class SubscriptionSection
{
    private delegate void Bind(SubscriptionOptions options, string path, string value);

    private sealed record Entry(Bind Bind, Func<SubscriptionOptions, object?> Value);

    // One row per bindable setting: the only list of them. The reference page and the complete appsettings.json of the tests are compared with it.
    private static readonly Dictionary<string, Entry> Settings = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Parallelism"] = new((o, s, v) => SettingParser.Number<int>(o, s, v, x => o.Parallelism = x), o => o.Parallelism),
        ["Order"] = new((o, s, v) => SettingParser.Enum<MessageOrder>(o, s, v, x => o.Order = x), o => o.Order),
        ["Timeout"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Timeout = x), o => o.Timeout),
        ["IncludeTombstones"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.IncludeTombstones = x), o => o.IncludeTombstones),
        ["StartPosition"] = new((o, s, v) => SettingParser.Enum<StartPosition>(o, s, v, x => o.StartPosition = x), o => o.StartPosition),
        ["OnOutOfRange"] = new((o, s, v) => SettingParser.Enum<OutOfRangePolicy>(o, s, v, x => o.OnOutOfRange = x), o => o.OnOutOfRange),
        ["OnUnhandled"] = new((o, s, v) => SettingParser.Enum<UnhandledPolicy>(o, s, v, x => o.OnUnhandled = x), o => o.OnUnhandled),
        ["OnUnknownType"] = new((o, s, v) => SettingParser.Enum<UnknownTypePolicy>(o, s, v, x => o.OnUnknownType = x), o => o.OnUnknownType),
        ["MaxBatchSize"] = new((o, s, v) => SettingParser.Number<int>(o, s, v, x => o.MaxBatchSize = x), o => o.MaxBatchSize),
        ["MaxBatchWait"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.MaxBatchWait = x), o => o.MaxBatchWait),
        ["Retry:InMemory:MaxAttempts"] = new(
            (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.Retry.InMemory.MaxAttempts = x), o => o.Retry.InMemory.MaxAttempts),
        ["Retry:InMemory:Delay"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Retry.InMemory.Delay = x), o => o.Retry.InMemory.Delay),
        ["Retry:InMemory:MaxDelay"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Retry.InMemory.MaxDelay = x), o => o.Retry.InMemory.MaxDelay),
        ["Retry:InMemory:BackoffType"] = new(
            (o, s, v) => SettingParser.Enum<DelayBackoffType>(o, s, v, x => o.Retry.InMemory.BackoffType = x), o => o.Retry.InMemory.BackoffType),
        ["Retry:InMemory:UseJitter"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Retry.InMemory.UseJitter = x), o => o.Retry.InMemory.UseJitter),
        ["Retry:Topic:MaxAttempts"] = new((o, s, v) => SettingParser.Number<int>(o, s, v, x => o.Retry.Topic.MaxAttempts = x), o => o.Retry.Topic.MaxAttempts),
        ["Retry:Topic:Delay"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Retry.Topic.Delay = x), o => o.Retry.Topic.Delay),
        ["Retry:Topic:MaxDelay"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Retry.Topic.MaxDelay = x), o => o.Retry.Topic.MaxDelay),
        ["Retry:Topic:BackoffType"] = new(
            (o, s, v) => SettingParser.Enum<DelayBackoffType>(o, s, v, x => o.Retry.Topic.BackoffType = x), o => o.Retry.Topic.BackoffType),
        ["Retry:Topic:UseJitter"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Retry.Topic.UseJitter = x), o => o.Retry.Topic.UseJitter),
        ["Retry:Topic:Name"] = new((o, _, v) => o.Retry.Topic.Name = v, o => o.Retry.Topic.Name),
        ["Retry:Topic:AdoptRecordsWithoutGroup"] =
            new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Retry.Topic.AdoptRecordsWithoutGroup = x), o => o.Retry.Topic.AdoptRecordsWithoutGroup),
        ["Retry:PreserveKeyOrder"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Retry.PreserveKeyOrder = x), o => o.Retry.PreserveKeyOrder),
        ["Retry:AfterDeadLetter"] = new(
            (o, s, v) => SettingParser.Enum<AfterDeadLetter>(o, s, v, x => o.Retry.AfterDeadLetter = x), o => o.Retry.AfterDeadLetter),
        ["Retry:AllowReorder"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Retry.AllowReorder = x), o => o.Retry.AllowReorder),
        ["DeadLetter:Enabled"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.DeadLetter.Enabled = x), o => o.DeadLetter.Enabled),
        ["DeadLetter:TopicName"] = new((o, _, v) => o.DeadLetter.TopicName = v, o => o.DeadLetter.TopicName),
        ["CircuitBreaker:Enabled"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.CircuitBreaker.Enabled = x), o => o.CircuitBreaker.Enabled),
        ["CircuitBreaker:FailureRatio"] = new(
            (o, s, v) => SettingParser.Number<double>(o, s, v, x => o.CircuitBreaker.FailureRatio = x), o => o.CircuitBreaker.FailureRatio),
        ["CircuitBreaker:MinimumThroughput"] = new(
            (o, s, v) => SettingParser.Number<int>(o, s, v, x => o.CircuitBreaker.MinimumThroughput = x), o => o.CircuitBreaker.MinimumThroughput),
        ["CircuitBreaker:SamplingDuration"] = new(
            (o, s, v) => SettingParser.Time(o, s, v, x => o.CircuitBreaker.SamplingDuration = x), o => o.CircuitBreaker.SamplingDuration),
        ["CircuitBreaker:BreakDuration"] = new(
            (o, s, v) => SettingParser.Time(o, s, v, x => o.CircuitBreaker.BreakDuration = x), o => o.CircuitBreaker.BreakDuration),
        ["CircuitBreaker:MaxBreakDuration"] = new(
            (o, s, v) => SettingParser.Time(o, s, v, x => o.CircuitBreaker.MaxBreakDuration = x), o => o.CircuitBreaker.MaxBreakDuration),
        ["Once:Enabled"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.Once.Enabled = x), o => o.Once.Enabled),
        ["Once:Retention"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.Once.Retention = x), o => o.Once.Retention),
        ["Once:IdHeader"] = new((o, _, v) => o.Once.IdHeader = v, o => o.Once.IdHeader),
        ["Once:IdProperty"] = new((o, _, v) => o.Once.IdProperty = v, o => o.Once.IdProperty),
        ["ExactlyOnce:Enabled"] = new((o, s, v) => SettingParser.Boolean(o, s, v, x => o.ExactlyOnce.Enabled = x), o => o.ExactlyOnce.Enabled),
        ["ExactlyOnce:MaxMessages"] = new((o, s, v) => SettingParser.Number<int>(o, s, v, x => o.ExactlyOnce.MaxMessages = x), o => o.ExactlyOnce.MaxMessages),
        ["ExactlyOnce:MaxWait"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.ExactlyOnce.MaxWait = x), o => o.ExactlyOnce.MaxWait),
        ["ExactlyOnce:TransactionTimeout"] = new(
            (o, s, v) => SettingParser.Time(o, s, v, x => o.ExactlyOnce.TransactionTimeout = x), o => o.ExactlyOnce.TransactionTimeout),
        ["ExactlyOnce:TimeLimit"] = new((o, s, v) => SettingParser.Time(o, s, v, x => o.ExactlyOnce.TimeLimit = x), o => o.ExactlyOnce.TimeLimit),
        ["ExactlyOnce:InstanceName"] = new((o, _, v) => o.ExactlyOnce.InstanceName = v, o => o.ExactlyOnce.InstanceName),
        ["ExactlyOnce:TransactionalIdPrefix"] = new((o, _, v) => o.ExactlyOnce.TransactionalIdPrefix = v, o => o.ExactlyOnce.TransactionalIdPrefix),
    };

    /// <summary>The bindable settings, in the order in which they are documented.</summary>
    public static IEnumerable<string> Names => Settings.Keys;

    /// <summary>The value of a setting.</summary>
    public static object? ValueOf(SubscriptionOptions options, string setting) => Settings[setting].Value(options);

    /// <summary>
    /// The options of a subscription: the configuration's, then those of <paramref name="configure"/>. A value of the configuration that code overrules is
    /// returned in <paramref name="overruled"/>.
    /// </summary>
    public static SubscriptionOptions Build(
        IReadOnlyDictionary<string, IConfigurationSection> sections, string topic, Action<SubscriptionOptions>? configure, out IReadOnlyList<string> overruled)
    {
        overruled = [];
        var options = new SubscriptionOptions();
        if (sections.Count == 0)
        {
            configure?.Invoke(options);
            return options;
        }

        // The name, which chooses the section, is known only when the code has run.
        var named = new SubscriptionOptions();
        configure?.Invoke(named);
        if (!sections.TryGetValue(named.Name ?? topic, out var section))
        {
            return named;
        }

        var set = new List<(string Setting, string Path)>();
        Apply(options, section, section, set);
        var given = set.ConvertAll(one => (one.Setting, one.Path, Value: Settings[one.Setting].Value(options)));
        configure?.Invoke(options);
        overruled = [.. given.Where(one => !Equals(one.Value, Settings[one.Setting].Value(options))).Select(one => one.Path)];
        return options;
    }

    private static void Apply(SubscriptionOptions options, IConfigurationSection root, IConfigurationSection section, List<(string Setting, string Path)> set)
    {
        foreach (var child in section.GetChildren())
        {
            var name = child.Path[(root.Path.Length + 1)..];
            if (Settings.TryGetValue(name, out var entry))
            {
                if (child.GetChildren().Any())
                {
                    options.BindingErrors.Add($"{child.Path} is a section and takes one value: write {child.Path} = ….");
                }
                else if (child.Value is { Length: > 0 } value)
                {
                    entry.Bind(options, child.Path, value);
                    set.Add((name, child.Path));
                }
            }
            else if (Settings.Keys.FirstOrDefault(key => key.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)) is { } example)
            {
                if (child.Value is { Length: > 0 })
                {
                    options.BindingErrors.Add($"{child.Path} has a value and is a section: write its parts, such as {root.Path}:{example} = ….");
                }

                Apply(options, root, child, set);
            }
            else
            {
                var meant = Settings.Keys.FirstOrDefault(key => key.EndsWith(":" + child.Key, StringComparison.OrdinalIgnoreCase))
                    ?? NearestName.To(name, Settings.Keys);
                options.BindingErrors.Add($"{child.Path} is no setting and would do nothing: {(meant is null ? "remove it." : $"did you mean {meant}?")}");
            }
        }
    }
}
