using System.Diagnostics;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// An activity whose listeners cannot hurt: a listener that throws when the activity starts or stops costs the activity, not the message. The exception goes to
/// the process's trace, as that of a logger does (<see cref="GuardedLogger"/>).
/// </summary>
internal readonly struct GuardedActivity : IDisposable
{
    private GuardedActivity(Activity? activity) => Activity = activity;

    /// <summary>Null where nobody samples it, or where a listener threw.</summary>
    public Activity? Activity { get; }

    /// <summary>Starts an activity of <see cref="KafkaDiagnostics.Activities"/>, as a child of <paramref name="parent"/> or else of the current one.</summary>
    public static GuardedActivity Start(string name, ActivityKind kind, ActivityContext parent = default)
    {
        var current = System.Diagnostics.Activity.Current;
        try
        {
            return new(KafkaDiagnostics.Activities.StartActivity(name, kind, parent));
        }
        catch (Exception error)
        {
            Tell(error);
            System.Diagnostics.Activity.Current = current;
            return default;
        }
    }

    /// <summary>Stops it.</summary>
    public void Dispose()
    {
        try
        {
            Activity?.Dispose();
        }
        catch (Exception error)
        {
            // The activity is stopped, and still the current one.
            Tell(error);
            System.Diagnostics.Activity.Current = Activity?.Parent;
        }
    }

    private static void Tell(Exception error) => Trace.TraceError("Narad.Kafka: a listener of activities threw: {0}", error.GetType());
}
