using System.Diagnostics;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>A handler that does with each message what its <see cref="Fate"/> says, and writes down every invocation before it returns or throws.</summary>
internal sealed class FailingHandler(int member, Fates fates, Action<Invocation> invoked)
{
    public async Task HandleAsync(Message message, MessageContext context, CancellationToken cancellationToken)
    {
        var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var started = Stopwatch.GetTimestamp();
        var (key, sequence) = Numbered.Parse(message.Text);
        await Member.Short(key, sequence, cancellationToken);   // one that is cancelled did nothing, and is not written down
        var fate = fates.Of(key, sequence);
        var fails = fate.FailsAt(context.Retry);
        invoked(new Invocation(
            new Handling(key, sequence, member, started, Stopwatch.GetTimestamp()), context.Retry, context.Attempt, fails, at,
                $"{context.Topic}[{context.Partition}]", context.Offset));
        if (fails)
        {
            throw fate.Kind is FateKind.Later ? new RetryLaterException(Fate.MuchLater) : new InvalidOperationException("fails on purpose");
        }
    }

    internal sealed record Message(string Text);
}
