using System.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>
/// A service that is one member of the group: handles every topic of the run by key, in parallel, and writes to the recorder what it handled.
/// </summary>
internal sealed class Member : IAsyncDisposable
{
    private readonly List<ISubscription> _subscriptions = [];

    private Member(int number, KafkaService service)
    {
        Number = number;
        Service = service;
    }

    public int Number { get; }

    public KafkaService Service { get; }

    public IReadOnlyList<ISubscription> Subscriptions => _subscriptions;

    /// <summary>Of the topics and of their retry topics.</summary>
    public IEnumerable<StoppedPartition> Stopped => Service.Subscriptions.SelectMany(subscription => subscription.StoppedPartitions);

    public int Partitions => _subscriptions.Sum(subscription => subscription.Assignment.Count);

    public static Task<Member> StartAsync(
        int number,
        KafkaService service,
        string group,
        IEnumerable<string> topics,
        Action<Handling> handled,
        Func<int, int, CancellationToken, Task> work,
        Action<SubscriptionOptions>? configure = null)
    {
        async Task HandleAsync(string text, MessageContext context, CancellationToken cancellationToken)
        {
            var started = Stopwatch.GetTimestamp();
            var (key, sequence) = Numbered.Parse(text);
            await work(key, sequence, cancellationToken);
            handled(new Handling(key, sequence, number, started, Stopwatch.GetTimestamp()));
        }

        return StartAsync(number, service, group, topics, topic => service.SubscribeAsync<string>(topic, HandleAsync, group, configure));
    }

    /// <summary>A member whose handlers fail where a message's <see cref="Fate"/> says so.</summary>
    public static Task<Member> StartAsync(int number, KafkaService service, string group, IEnumerable<string> topics, Work work, Action<Invocation> invoked) =>
        StartAsync(number, service, group, topics, topic => work.SubscribeAsync(service, topic, group, number, invoked));

    /// <summary>Work of a few milliseconds, not the same for any two messages.</summary>
    public static Task Short(int key, int sequence, CancellationToken cancellationToken) => Task.Delay(Random.Shared.Next(0, 5), cancellationToken);

    public Task<HealthCheckResult> HealthAsync()
    {
        var check = new KafkaHealthCheck(Service);
        return check.CheckHealthAsync(new HealthCheckContext { Registration = new HealthCheckRegistration("kafka", check, failureStatus: null, tags: null) });
    }

    /// <summary>Continues where a partition stopped: at the offset, or where the policy of the group says.</summary>
    public async Task<int> GoOnAsync(Func<TopicPartitionId, long?> offset)
    {
        var resumed = 0;
        foreach (var subscription in Service.Subscriptions)
        {
            foreach (var stopped in subscription.StoppedPartitions)
            {
                resumed += (offset(stopped.Partition) is { } at ? await subscription.SeekAsync(stopped.Partition, at)
                    : await subscription.ResumeAsync(stopped.Partition)) ? 1 : 0;
            }
        }

        return resumed;
    }

    public ValueTask DisposeAsync() => Service.DisposeAsync();

    private static async Task<Member> StartAsync(
        int number, KafkaService service, string group, IEnumerable<string> topics, Func<string, Task<ISubscription>> subscribe)
    {
        var member = new Member(number, service);
        try
        {
            await service.ConnectConsumerAsync(group);
            member._subscriptions.AddRange(await Task.WhenAll(topics.Select(subscribe)));
            return member;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }
}
