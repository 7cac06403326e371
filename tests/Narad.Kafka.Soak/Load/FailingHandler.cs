using System.Diagnostics;
using System.Text;
using Narad.Kafka.Soak.Books;

namespace Narad.Kafka.Soak.Load;

/// <summary>A handler that does with each message what its <see cref="Fate"/> says, and writes down every invocation before it returns or throws.</summary>
internal sealed class FailingHandler(int member, Action<Invocation> invoked)
{
    /// <summary>What a service needs besides, where messages fail.</summary>
    public static void Configure(KafkaOptions options) => options.TopicCreation = TopicCreation.IfMissing;

    /// <summary>The bytes of a message: JSON, or for poison what is none.</summary>
    public static byte[] Bytes(string run, int key, int sequence)
    {
        var text = Numbered.Text(run, key, sequence);
        return Fate.Of(key, sequence).Kind is FateKind.Poison ? [.. Encoding.UTF8.GetBytes(text), 0xFF, 0x00, 0xC0] : Encoding.UTF8.GetBytes($$"""{"text":"{{text}}"}""");
    }

    public Task<ISubscription> SubscribeAsync(KafkaService service, string topic, string group) => service.SubscribeAsync<Message>(
        topic,
        HandleAsync,
        group,
        static subscription => subscription
            .Retry(static retry => retry.InMemory(Fate.InMemory).Topics(Fate.Delays.Count, Backoff.List([.. Fate.Delays])).AllowReorder())
            .DeadLetter());

    private async Task HandleAsync(Message message, MessageContext context, CancellationToken cancellationToken)
    {
        var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var started = Stopwatch.GetTimestamp();
        var (key, sequence) = Numbered.Parse(message.Text);
        await Member.Short(key, sequence, cancellationToken);   // one that is cancelled did nothing, and is not written down
        var fate = Fate.Of(key, sequence);
        var fails = fate.FailsAt(context.Retry);
        invoked(new Invocation(
            new Handling(key, sequence, member, started, Stopwatch.GetTimestamp()), context.Retry, context.Attempt, fails, at, $"{context.Topic}[{context.Partition}]", context.Offset));
        if (fails)
        {
            throw fate.Kind is FateKind.Later ? new RetryLaterException(Fate.MuchLater) : new InvalidOperationException("fails on purpose");
        }
    }

    internal sealed record Message(string Text);
}
