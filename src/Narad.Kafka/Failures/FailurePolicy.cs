using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Failures;

/// <summary>
/// Says what becomes of a message whose handling failed: a subscription's policy, asked once a failure. It does nothing by itself. Thread-safe.
/// </summary>
internal sealed class FailurePolicy(RetryOptions options, bool hasDeadLetters, ILogger logger)
{
    private static readonly TimeSpan LongestRepetition = TimeSpan.FromDays(1);

    /// <summary>The verdict on an invocation's error.</summary>
    public FailureVerdict Judge(Exception error, MessageContext context)
    {
        if (error is DeadLetterException or MessageDeserializationException or UnknownMessageTypeException)
        {
            return Last;
        }

        return Ask(error, context) switch
        {
            FailureAction.Skip => new FailureVerdict(FailureAction.Skip),
            FailureAction.Stop => new FailureVerdict(FailureAction.Stop),
            FailureAction.Retry when context.Attempt <= options.InMemoryRetries && IsRepeated(error) => new FailureVerdict(FailureAction.Retry, DelayBefore(context.Attempt)),
            _ => Last,
        };
    }

    private FailureVerdict Last => new(hasDeadLetters ? FailureAction.DeadLetter : FailureAction.Stop);

    private FailureAction Ask(Exception error, MessageContext context)
    {
        if (Decided(error, context) is { } decided)
        {
            return decided;
        }

        foreach (var (type, action) in options.Rules)
        {
            if (Has(error, type))
            {
                return action;
            }
        }

        return FailureAction.Retry;
    }

    /// <summary>Whether it is of a type: an exception is what it is and what caused it.</summary>
    internal static bool Has(Exception? error, Type type) => error is not null
        && (type.IsInstanceOfType(error) || (error is AggregateException several ? several.InnerExceptions.Any(inner => Has(inner, type)) : Has(error.InnerException, type)));

    // The application's delegates may throw: then the failure is as if they had not been there.
    private FailureAction? Decided(Exception error, MessageContext context)
    {
        try
        {
            return options.Decision?.Invoke(new FailedMessage(error, context));
        }
        catch (Exception decisionError)
        {
            ConsumingLog.RetryDelegateFailed(logger, decisionError);
            return null;
        }
    }

    private bool IsRepeated(Exception error)
    {
        try
        {
            return options.InMemoryFilter is not { } filter || filter(error);
        }
        catch (Exception filterError)
        {
            ConsumingLog.RetryDelegateFailed(logger, filterError);
            return false;
        }
    }

    private TimeSpan DelayBefore(int repetition)
    {
        try
        {
            var wanted = options.InMemoryDelay.Before(repetition);
            return wanted > LongestRepetition ? LongestRepetition : wanted;
        }
        catch (Exception delayError)
        {
            ConsumingLog.RetryDelegateFailed(logger, delayError);
            return TimeSpan.Zero;
        }
    }
}
