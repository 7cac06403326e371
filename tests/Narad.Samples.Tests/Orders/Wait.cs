using System.Diagnostics;

namespace Narad.Samples.Tests.Orders;

/// <summary>Waits for conditions.</summary>
internal static class Wait
{
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromMinutes(2);

    public static Task UntilAsync(Func<Task<bool>> condition, string what) => UntilAsync(condition, () => what, DefaultDeadline);

    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> what, TimeSpan deadline)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > deadline)
            {
                throw new TimeoutException($"It did not happen within {deadline}: {what()}.");
            }

            await Task.Delay(100);
        }
    }
}
