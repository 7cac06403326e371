using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Failures;

/// <summary>
/// Says what becomes of a message whose handling failed: a subscription's policy, asked once a failure. It does nothing by itself. Thread-safe.
/// </summary>
/// <param name="options">The subscription's.</param>
/// <param name="last">What becomes of a message that is not retried any more: it stops its partition, becomes a dead letter, or is left out.</param>
/// <param name="logger">Of the pipeline.</param>
internal sealed class FailurePolicy(RetryOptions options, FailureAction last, ILogger logger)
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromDays(1);

    private readonly RetryTopicPolicy? _topicPolicy = options.Topic.TopicPolicy;
    private readonly Backoff _inMemoryDelay = options.InMemory.Backoff;

    /// <summary>The decision on an invocation's error.</summary>
    public FailureDecision Decide(Exception error, MessageContext context)
    {
        if (error is DeadLetterException or MessageDeserializationException or UnknownMessageTypeException)
        {
            return Last;
        }

        if (error is RetryLaterException later)
        {
            return _topicPolicy is { MaxDelay: var longest }
                ? new FailureDecision(FailureAction.RetryLater, later.Delay < longest ? later.Delay : longest)
                : new FailureDecision(FailureAction.Retry, later.Delay);
        }

        return Ask(error, context) switch
        {
            FailureAction.Skip => new FailureDecision(FailureAction.Skip),
            FailureAction.Stop => new FailureDecision(FailureAction.Stop),
            FailureAction.Retry when MayRetryInMemory(error, context) => InMemory(context),
            FailureAction.RetryLater when _topicPolicy is null && MayRetryInMemory(error, context) => InMemory(context),
            FailureAction.Retry or FailureAction.RetryLater when _topicPolicy is { } topicPolicy && context.Retry < topicPolicy.Attempts =>
                new FailureDecision(FailureAction.RetryLater, DelayBefore(topicPolicy.Delay, context.Retry + 1, topicPolicy.MaxDelay)),
            _ when error is HandlerNotCreatedException && last is not FailureAction.Skip => new FailureDecision(FailureAction.Stop),
            _ => Last,
        };
    }

    private bool MayRetryInMemory(Exception error, MessageContext context) => context.Attempt <= options.InMemory.MaxAttempts && PassesFilter(error);

    private FailureDecision InMemory(MessageContext context) => new(FailureAction.Retry, DelayBefore(_inMemoryDelay, context.Attempt, LongestRetry));

    private FailureDecision Last => new(last, IsLast: true);

    private FailureAction Ask(Exception error, MessageContext context)
    {
        if (Decided(error, context) is { } decided)
        {
            return decided;
        }

        foreach (var (type, action) in options.ExceptionActions)
        {
            if (Has(error, type))
            {
                return action;
            }
        }

        return FailureAction.Retry;
    }

    /// <summary>Whether it is of a type: an exception is what it is and what caused it.</summary>
    internal static bool Has(Exception? error, Type type) => Has(error, type.IsInstanceOfType);

    internal static bool Has(Exception? error, Func<Exception, bool> isMeant) => error is not null && (isMeant(error) || error switch
    {
        AggregateException several => several.InnerExceptions.Any(inner => Has(inner, isMeant)),
        KafkaSendManyException several => several.Failures.Values.Any(inner => Has(inner, isMeant)),
        _ => Has(error.InnerException, isMeant),
    });

    // The application's delegates may throw: then the failure is as if they had not been there.
    private FailureAction? Decided(Exception error, MessageContext context)
    {
        try
        {
            return options.ActionSelector?.Invoke(new FailedMessage(error, context));
        }
        catch (Exception decisionError)
        {
            ConsumingLog.RetryDelegateFailed(logger, decisionError);
            return null;
        }
    }

    private bool PassesFilter(Exception error)
    {
        try
        {
            return options.InMemory.ShouldHandle is not { } filter || filter(error);
        }
        catch (Exception filterError)
        {
            ConsumingLog.RetryDelegateFailed(logger, filterError);
            return false;
        }
    }

    private TimeSpan DelayBefore(Backoff backoff, int retry, TimeSpan longest)
    {
        try
        {
            var wanted = backoff.Before(retry);
            return wanted > longest ? longest : wanted;
        }
        catch (Exception delayError)
        {
            ConsumingLog.RetryDelegateFailed(logger, delayError);
            return TimeSpan.Zero;
        }
    }
}
