using System.Diagnostics;
using Narad.Kafka.Soak.Books;

namespace Narad.Kafka.Soak.Load;

/// <summary>A service that is one member of the group: handles every topic of the run by key, in parallel, and writes to the ledger what it handled.</summary>
internal sealed class Member : IAsyncDisposable
{
    private readonly Action<Handling> _handled;
    private readonly Func<int, int, CancellationToken, Task> _work;
    private readonly List<ISubscription> _subscriptions = [];

    private Member(int number, KafkaService service, Action<Handling> handled, Func<int, int, CancellationToken, Task> work)
    {
        Number = number;
        Service = service;
        _handled = handled;
        _work = work;
    }

    public int Number { get; }

    public KafkaService Service { get; }

    public IReadOnlyList<ISubscription> Subscriptions => _subscriptions;

    public IEnumerable<StoppedPartition> Stopped => _subscriptions.SelectMany(subscription => subscription.Stopped);

    public int Partitions => _subscriptions.Sum(subscription => subscription.Assignment.Count);

    public static async Task<Member> StartAsync(
        int number,
        KafkaService service,
        string group,
        IEnumerable<string> topics,
        Action<Handling> handled,
        Func<int, int, CancellationToken, Task> work,
        Action<SubscriptionOptions>? configure = null)
    {
        var member = new Member(number, service, handled, work);
        try
        {
            await service.ConnectConsumerAsync(group);
            var joined = topics.Select(topic => service.SubscribeAsync<string>(topic, member.HandleAsync, group, configure));
            member._subscriptions.AddRange(await Task.WhenAll(joined));
            return member;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Work of a few milliseconds, not the same for any two messages.</summary>
    public static Task Short(int key, int sequence, CancellationToken cancellationToken) => Task.Delay(Random.Shared.Next(0, 5), cancellationToken);

    public ValueTask DisposeAsync() => Service.DisposeAsync();

    private async Task HandleAsync(string text, MessageContext context, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var (key, sequence) = Numbered.Parse(text);
        await _work(key, sequence, cancellationToken);
        _handled(new Handling(key, sequence, Number, started, Stopwatch.GetTimestamp()));
    }
}
