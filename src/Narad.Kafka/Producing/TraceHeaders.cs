using System.Diagnostics;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>
/// W3C trace context and baggage in the headers of a message, on the way out and on the way in. Costs nothing while nobody listens and no activity is current.
/// </summary>
internal static class TraceHeaders
{
    public const string TraceParent = "traceparent";
    public const string TraceState = "tracestate";
    public const string Baggage = "baggage";

    private static readonly DistributedContextPropagator W3C = DistributedContextPropagator.CreateW3CPropagator();

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

    /// <summary>Adds the current trace context and baggage to headers that are the message's own. What the application set itself stays.</summary>
    public static void InjectInto(MessageHeaders copy)
    {
        if (Activity.Current is not { IdFormat: ActivityIdFormat.W3C } activity)
        {
            return;
        }

        var hasParent = copy.TryGet(TraceParent, out _);
        W3C.Inject(activity, copy, hasParent ? AddBaggage : AddAbsent);
    }

    /// <summary>Whether a header carries trace context or baggage.</summary>
    public static bool IsTrace(string name) => name is TraceParent or TraceState or Baggage;

    /// <summary>The trace context that a message came with; the default where it has none that can be read.</summary>
    public static ActivityContext ParentOf(MessageHeaders? received) =>
        received is not null && ActivityContext.TryParse(received.GetText(TraceParent), received.GetText(TraceState), isRemote: true, out var parent) ? parent
            : default;

    /// <summary>Gives an activity the baggage that a message came with.</summary>
    public static void TakeBaggage(Activity activity, MessageHeaders? received)
    {
        if (received is null || !received.TryGet(Baggage, out _))
        {
            return;
        }

        foreach (var (name, value) in W3C.ExtractBaggage(received, Get) ?? [])
        {
            activity.SetBaggage(name, value);
        }
    }

    private static void AddAbsent(object? carrier, string name, string value)
    {
        var headers = (MessageHeaders)carrier!;
        if (!headers.TryGet(name, out _))
        {
            headers.Add(name, value);
        }
    }

    // A trace state belongs to the parent that the application set.
    private static void AddBaggage(object? carrier, string name, string value)
    {
        if (name is Baggage)
        {
            AddAbsent(carrier, name, value);
        }
    }

    private static void Get(object? carrier, string name, out string? value, out IEnumerable<string>? values) =>
        (value, values) = (((MessageHeaders)carrier!).GetText(name), null);

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
