using System.Diagnostics;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Runs batches. A message that cannot be deserialized ends its batch early: what is before it is handled first, then it fails by itself.
/// </summary>
internal sealed class BatchPipeline<T> : HandlerPipeline
{
    private readonly Func<MessageBatch<T>, CancellationToken, Task> _handler;

    public BatchPipeline(Func<MessageBatch<T>, CancellationToken, Task> handler, SubscriptionSettings settings, ConsumingMetrics metrics,
        KafkaDiagnostics diagnostics)
        : base(settings, metrics, diagnostics)
    {
        _handler = handler;
    }

    public override BatchLimits? Batch => Settings.Batch;

    protected override async ValueTask<Outcome> HandleAsync(KeyQueue queue)
    {
        var first = queue.Head!;
        if (OutcomeWithoutHandling(first) is { } outcome)
        {
            return outcome;
        }

        if (first.Forwarding is not null)
        {
            return await ForwardAsync(first).ConfigureAwait(false);
        }

        var taken = queue.Taken;
        var assignment = first.TransactionEntry?.Transaction.Token ?? first.Partition.Token;
        var limit = LimitTime(assignment);
        var token = limit?.Token ?? assignment;
        first.Attempts++;

        // Which message of the batch each item is: tombstones and what middleware finished are in no item.
        var items = new List<(T Message, MessageContext Context)>(taken);
        var positions = new List<int>(taken);
        var finished = 0;
        var current = first;
        var started = default(GuardedActivity);
        async ValueTask<Outcome> FailedAsync(Delivery failed, Exception error, bool timedOut, int before = 0)
        {
            started.Activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.Message(error));
            return Finished(first, await HandleFailureAsync(failed, error, timedOut, before).ConfigureAwait(false));
        }

        try
        {
            started = KafkaDiagnostics.Activities.HasListeners() ? StartActivity(NewContext(first)) : default;
            for (; finished < taken; finished++, current = current.Next!)
            {
                if (IsUnwantedTombstone(current))
                {
                    continue;
                }

                try
                {
                    await AddAsync(current, items, token).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    if (items.Count > 0 && !assignment.IsCancellationRequested)
                    {
                        // Its turn comes as the first message of the next batch, where it fails with its own attempt count.
                        break;
                    }

                    current.Attempts = Math.Max(current.Attempts, 1);
                    return await FailedAsync(current, error, timedOut: limit is { IsExpired: true }, finished).ConfigureAwait(false);
                }

                while (positions.Count < items.Count)
                {
                    positions.Add(finished);
                }
            }

            if (items.Count > 0)
            {
                await _handler(new MessageBatch<T>(items), token).ConfigureAwait(false);
                current = first;
                for (var i = 0; i < finished; i++, current = current.Next!)
                {
                    if (current.TransactionEntry is not { } entry)
                    {
                        break;
                    }

                    try
                    {
                        await entry.ReturnedAsync().ConfigureAwait(false);
                    }
                    catch (Exception error)
                    {
                        current.Attempts = Math.Max(current.Attempts, 1);
                        return await FailedAsync(current, error, timedOut: false, i).ConfigureAwait(false);
                    }
                }

                Settings.Circuit?.Succeeded(first);
            }

            return Finished(first, new Outcome(finished));
        }
        catch (BatchFailedException error) when (error.Index < positions.Count && !assignment.IsCancellationRequested)
        {
            var failed = positions[error.Index];
            var delivery = first;
            for (var i = 0; i < failed; i++)
            {
                delivery = delivery.Next!;
            }

            delivery.Attempts = Math.Max(delivery.Attempts, 1);
            return await FailedAsync(delivery, error.InnerException ?? error, timedOut: false, failed).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            return await FailedAsync(first, error, timedOut: limit is { IsExpired: true }).ConfigureAwait(false);
        }
        finally
        {
            started.Dispose();
            limit?.Dispose();
        }
    }

    // A tombstone counts when it is finished, however often its batch is repeated.
    private Outcome Finished(Delivery first, Outcome outcome)
    {
        var delivery = first;
        for (var i = 0; i < outcome.Finished; i++, delivery = delivery.Next!)
        {
            delivery.TransactionEntry?.Finish();
            if (IsUnwantedTombstone(delivery))
            {
                CountTombstone(delivery);
            }
        }

        return outcome;
    }

    private async ValueTask AddAsync(Delivery delivery, List<(T Message, MessageContext Context)> items, CancellationToken token)
    {
        var context = NewContext(delivery);
        context.Attempt = Math.Max(1, delivery.Attempts);
        var message = await DecodeAsync<T>(context, token).ConfigureAwait(false);
        MarkRead(delivery);
        if (Settings.Middleware.Count == 0)
        {
            items.Add((message, context));
            return;
        }

        var chain = MiddlewareChain.Build(Settings.Middleware, (changed, changedContext, _) =>
        {
            items.Add(((T)changed!, changedContext));
            return Task.CompletedTask;
        });
        await chain(message, context, token).ConfigureAwait(false);
    }
}
