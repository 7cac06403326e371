using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Inbox;

/// <summary>The innermost middleware of a subscription that handles messages once: runs the handler inside the inbox. Thread-safe.</summary>
internal sealed class InboxMiddleware(IInbox inbox, InboxGuarantee guarantee, MessageIdentity identity, SubscriptionSettings settings, TimeSpan retention,
    ConsumingMetrics metrics, KafkaDiagnostics diagnostics) : IConsumeMiddleware
{
    private static readonly Backoff SendBackoff = Backoff.Exponential(TimeSpan.FromMilliseconds(250), max: TimeSpan.FromSeconds(30));

    private readonly ILogger _logger = diagnostics.Logger<InboxMiddleware>();
    private readonly OncePerKind<string> _repeats = new(diagnostics.Time);   // by topic

    public async Task HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken)
    {
        var id = await identity.OfAsync(message, context, cancellationToken).ConfigureAwait(false);
        if (context.IsForced)
        {
            // Sent again by name: once more, and only once, whatever was handled before.
            id = $"{id} {context.Redriven}";
        }

        var entry = new InboxMessage(context.Group, context.Original.Topic, id, context.Original, retention, settings.Timeout);
        var sender = context.Sender;
        DeferredSends? deferred = null;
        InboxResult result;
        try
        {
            result = await inbox.HandleAsync(
                entry,
                async (session, token) =>
                {
                    deferred?.Close();
                    deferred = guarantee is InboxGuarantee.Transactional && sender is not null ? new DeferredSends(sender) : null;
                    context.StorageSession = session;
                    context.Sender = deferred ?? sender;
                    await next(message, context, token).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            context.StorageSession = null;
            context.Sender = sender;
        }

        switch (result.Kind)
        {
            case InboxResultKind.Busy:
                throw new PostponedException(result.RetryAfter);
            case InboxResultKind.AlreadyHandled:
                metrics.Duplicate();
                Report(context, id, result.First);
                break;
            default:
                await SendAsync(deferred?.Close() ?? [], context, cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    private void Report(MessageContext context, string id, TopicPartitionOffsetId? first)
    {
        var partition = new TopicPartitionId(context.Topic, context.Partition);
        if (context.Redriven is not null)
        {
            InboxLog.RedriveSkipped(_logger, partition, context.Offset, context.Group, id, first?.ToString() ?? "unknown coordinates");
        }
        else if (first is null || first == context.Original)
        {
            InboxLog.RedeliverySkipped(_logger, partition, context.Offset, context.Group, id);
        }
        else if (_repeats.IsDue(context.Original.Topic))
        {
            InboxLog.RepeatSkipped(_logger, partition, context.Offset, context.Group, id, first.Value);
        }
    }

    // The transaction is committed: what was sent in it must go out, however long that takes.
    private async Task SendAsync(IReadOnlyList<Func<CancellationToken, ValueTask<SendResult>>> sends, MessageContext context,
        CancellationToken cancellationToken)
    {
        for (var (i, failures) = (0, 0); i < sends.Count;)
        {
            try
            {
                await sends[i](cancellationToken).ConfigureAwait(false);
                i++;
                failures = 0;
            }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested)
            {
                var wait = SendBackoff.Before(++failures);
                InboxLog.OutputFailed(_logger, error, new TopicPartitionId(context.Topic, context.Partition), context.Offset, context.Group,
                    Duration.Text(wait));
                try
                {
                    await Task.Delay(wait, diagnostics.Time, cancellationToken).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    // Reported below.
                }
            }
            catch (OperationCanceledException)
            {
                // Reported below.
            }

            if (cancellationToken.IsCancellationRequested && i < sends.Count)
            {
                InboxLog.OutputsLost(_logger, new TopicPartitionId(context.Topic, context.Partition), context.Offset, context.Group, sends.Count - i);
                return;
            }
        }
    }
}
