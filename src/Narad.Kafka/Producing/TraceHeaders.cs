using System.Diagnostics;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>W3C trace context on the way out. Costs nothing while nobody listens and no activity is current.</summary>
internal static class TraceHeaders
{
    public const string TraceParent = "traceparent";
    public const string TraceState = "tracestate";

    public static bool Wanted => Activity.Current is not null || KafkaDiagnostics.Activities.HasListeners();

    /// <summary>The activity of one send, named and tagged as OpenTelemetry's messaging conventions say.</summary>
    public static GuardedActivity Start(string topic, MessageKey key, string clientId)
    {
        var started = GuardedActivity.Start($"{topic} publish", ActivityKind.Producer);
        if (started.Activity is not { } activity)
        {
            return started;
        }

        activity.SetTag("messaging.system", "kafka");
        activity.SetTag("messaging.destination.name", topic);
        activity.SetTag("messaging.operation.type", "send");
        activity.SetTag("messaging.operation.name", "publish");
        activity.SetTag("messaging.client.id", clientId);
        if (!key.IsNone)
        {
            activity.SetTag("messaging.kafka.message.key", key.ToString());
        }

        return started;
    }

    /// <summary>A copy of the headers with the current trace context; a context that the application set itself stays.</summary>
    public static MessageHeaders Inject(MessageHeaders? headers)
    {
        MessageHeaders copy = headers is null ? new() : new(headers);
        InjectInto(copy);
        return copy;
    }

    /// <summary>Adds the current trace context to headers that are the message's own.</summary>
    public static void InjectInto(MessageHeaders copy)
    {
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } activity && !copy.TryGet(TraceParent, out _))
        {
            copy.Add(TraceParent, id);
            if (!string.IsNullOrEmpty(activity.TraceStateString))
            {
                copy.Add(TraceState, activity.TraceStateString);
            }
        }
    }

    public static void Delivered(GuardedActivity started, in SendResult result)
    {
        var activity = started.Activity;
        activity?.SetTag("messaging.destination.partition.id", result.Partition.ToString(System.Globalization.CultureInfo.InvariantCulture));
        activity?.SetTag("messaging.kafka.offset", result.Offset);
    }

    public static void Failed(GuardedActivity started, Exception exception)
    {
        var activity = started.Activity;
        activity?.SetTag("error.type", exception is KafkaSendException failure ? failure.Reason : exception.GetType().FullName);
        activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.Message(exception));
    }
}
