using System.Diagnostics;

namespace Narad.Kafka.Diagnostics;

/// <summary>Tasks that nobody awaits.</summary>
internal static class TaskExtensions
{
    /// <summary>Says that nobody awaits this task, which handles its own failures; one that fails all the same fails loudly in debug builds.</summary>
    public static void Forget(this Task task)
    {
        if (!task.IsCompletedSuccessfully)
        {
            _ = task.ContinueWith(
                static failed => Debug.Fail("A task that nobody awaits failed.", failed.Exception!.ToString()),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    /// <summary>Marks the exception of this task as observed: those who await it may stop waiting before it ends.</summary>
    public static T Observe<T>(this T task)
        where T : Task
    {
        _ = task.ContinueWith(
            static failed => _ = failed.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return task;
    }
}
