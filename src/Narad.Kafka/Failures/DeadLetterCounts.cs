using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Failures;

/// <summary>
/// How many messages the dead-letter topics of this service's subscriptions hold, for whoever collects metrics: it answers at once with what it knows, and
/// asks the brokers in the background where that is older than <see cref="Interval"/>. It asks nothing while nobody reads it. Thread-safe.
/// </summary>
internal sealed class DeadLetterCounts(Func<IReadOnlyCollection<string>> topics, Func<string, CancellationToken, Task<long>> count, TimeProvider time,
    ILogger logger, CancellationToken ended)
{
    private long _askedAt;
    private int _asking;
    private volatile bool _hasCounted;
    private readonly OncePerKind<Type> _news = new(time);
    private ImmutableDictionary<string, long> _latest = ImmutableDictionary.Create<string, long>(StringComparer.Ordinal);

    /// <summary>How old what it answers may be.</summary>
    public static TimeSpan Interval { get; } = TimeSpan.FromSeconds(15);

    /// <summary>Whether the brokers have answered once, so that what is told is a count.</summary>
    public bool HasCounted => _hasCounted;

    /// <summary>By topic; empty until the brokers answered for the first time.</summary>
    public ImmutableDictionary<string, long> Latest
    {
        get
        {
            var askedAt = Volatile.Read(ref _askedAt);
            if ((askedAt == 0 || time.GetElapsedTime(askedAt) >= Interval) && Interlocked.Exchange(ref _asking, 1) == 0)
            {
                Volatile.Write(ref _askedAt, Math.Max(1, time.GetTimestamp()));
                Task.Run(AskAsync).Forget();
            }

            return Volatile.Read(ref _latest);
        }
    }

    private async Task AskAsync()
    {
        try
        {
            var counts = ImmutableDictionary.CreateBuilder<string, long>(StringComparer.Ordinal);
            foreach (var topic in topics())
            {
                counts[topic] = await count(topic, ended).ConfigureAwait(false);
            }

            Volatile.Write(ref _latest, counts.ToImmutable());
            _hasCounted = true;
            _news.Over();
        }
        catch (Exception) when (ended.IsCancellationRequested)
        {
            // Nobody reads it any more.
        }
        catch (Exception error)
        {
            if (_news.IsDue(error.GetType()))
            {
                DeadLettersLog.NotCounted(logger, error);
            }
        }
        finally
        {
            Volatile.Write(ref _asking, 0);
        }
    }
}
