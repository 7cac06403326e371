using System.Diagnostics;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Consuming;

/// <summary>Runs one message at a time through middleware and handler.</summary>
internal sealed class SinglePipeline<T> : HandlerPipeline
{
    private readonly Func<T, MessageContext, CancellationToken, Task> _handler;
    private readonly ConsumeDelegate? _chain;

    public SinglePipeline(Func<T, MessageContext, CancellationToken, Task> handler, SubscriptionSettings settings, ConsumingMetrics metrics,
        KafkaDiagnostics diagnostics)
        : base(settings, metrics, diagnostics)
    {
        _handler = handler;
        _chain = settings.Middleware.Count == 0 ? null : MiddlewareChain.Build(
            settings.Middleware, (message, context, token) => _handler((T)message!, context, token));
    }

    protected override async ValueTask<Outcome> HandleAsync(KeyQueue queue)
    {
        var delivery = queue.Head!;
        if (OutcomeWithoutHandling(delivery) is { } outcome)
        {
            return outcome;
        }

        if (delivery.Forwarding is not null)
        {
            return await ForwardAsync(delivery).ConfigureAwait(false);
        }

        delivery.Attempts++;
        if (IsUnwantedTombstone(delivery))
        {
            CountTombstone(delivery);
            delivery.TransactionEntry?.Finish();
            return Outcome.One;
        }

        var assignment = delivery.TransactionEntry?.Transaction.Token ?? delivery.Partition.Token;
        var limit = LimitTime(assignment);
        var token = limit?.Token ?? assignment;
        try
        {
            var context = NewContext(delivery);
            using var started = StartActivity(context);
            try
            {
                var message = await DecodeAsync<T>(context, token).ConfigureAwait(false);
                MarkRead(delivery);
                await (_chain is null ? _handler(message, context, token) : _chain(message, context, token)).ConfigureAwait(false);
                if (delivery.TransactionEntry is { } entry)
                {
                    await entry.ReturnedAsync().ConfigureAwait(false);
                    entry.Finish();
                }

                Settings.Circuit?.Succeeded(delivery);
                return Outcome.One;
            }
            catch (Exception error) when (started.Activity is not null)
            {
                started.Activity.SetStatus(ActivityStatusCode.Error, ExceptionText.Message(error));
                throw;
            }
        }
        catch (Exception error)
        {
            return await HandleFailureAsync(delivery, error, timedOut: limit is { IsExpired: true }).ConfigureAwait(false);
        }
        finally
        {
            limit?.Dispose();
        }
    }
}
