using System.Diagnostics;

namespace Narad.Kafka.Tests;

/// <summary>Waits for conditions with a deadline, so that no test sleeps.</summary>
internal static class Waiting
{
    /// <summary>Longer than any broker of a busy machine takes; only what never comes about is waited for so long.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public static Task Until(Func<bool> condition, string what, TimeSpan? deadline = null) => Until(() => Task.FromResult(condition()), what, deadline);

    public static async Task Until(Func<Task<bool>> condition, string what, TimeSpan? deadline = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > (deadline ?? Deadline))
            {
                throw new TimeoutException($"Not within {deadline ?? Deadline}: {what}");
            }

            await Task.Yield();
            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }
}
