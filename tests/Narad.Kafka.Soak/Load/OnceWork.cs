using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>
/// One output for each message, in one transaction with its offset. Of a thousand messages ten fail the first time in each process that handles them, three
/// fail always and two cannot be read; those that fail have written their output by then, which nobody may ever see.
/// </summary>
internal sealed class OnceWork(int seed, bool isStatic) : Work(isStatic ? Kind + "-static" : Kind, FatesOf(seed))
{
    public const string Kind = "exactly-once";

    private readonly ConcurrentDictionary<(int, int), bool> _failed = new();

    public override bool HasRetryTopics => false;

    public override bool HasOutputs => true;

    public override void Be(string identity, KafkaOptions options)
    {
        options.ClientId = $"soak-{identity}";
        if (isStatic)
        {
            options.GroupInstanceId = identity;
        }
    }

    public override Task<ISubscription> SubscribeAsync(KafkaService service, string topic, string group, int member, Action<Invocation> invoked) =>
        service.SubscribeAsync<FailingHandler.Message>(
            topic,
            async (message, context, cancellationToken) =>
            {
                var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
                var started = Stopwatch.GetTimestamp();
                var (key, sequence) = Numbered.Parse(message.Text);
                await context.SendAsync(Output(topic), message.Text, key, cancellationToken: cancellationToken);
                await Member.Short(key, sequence, cancellationToken);
                var fate = Fates.Of(key, sequence);
                var fails = fate.IsDeadLetter || (fate.Kind is FateKind.Recovers && _failed.TryAdd((key, sequence), value: true));
                invoked(new Invocation(
                    new Handling(key, sequence, member, started, Stopwatch.GetTimestamp()), context.Retry, context.Attempt, fails, at,
                        string.Create(CultureInfo.InvariantCulture, $"{context.Topic}[{context.Partition}]"), context.Offset));
                if (fails)
                {
                    throw new InvalidOperationException("fails on purpose");
                }
            },
            group,
            subscription =>
            {
                subscription.Retry.InMemory.MaxAttempts = Fates.InMemory;
                subscription.DeadLetter.Enabled = true;
                subscription.ExactlyOnce.Enabled = true;
                Identify(subscription.ExactlyOnce);
            });

    // A static identity names the transactions as well; else the client's id does.
    private void Identify(ExactlyOnceOptions options)
    {
        if (!isStatic)
        {
            options.InstanceName = "one";
        }
    }

    private static Fates FatesOf(int seed) => new(2, [], [(2, FateKind.Poison, 0), (3, FateKind.Fails, 0), (10, FateKind.Recovers, 0)], seed);
}
