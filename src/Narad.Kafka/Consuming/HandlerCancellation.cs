using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>Cancels what handlers were given. What they registered on it is theirs: it runs on the thread pool, and what it throws is logged.</summary>
internal static class HandlerCancellation
{
    public static void CancelInBackground(this CancellationTokenSource source, ILogger logger)
    {
        _ = source.CancelAsync().ContinueWith(
            static (failed, state) => ConsumingLog.CancellationFailed((ILogger)state!, failed.Exception!),
            logger,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }
}
