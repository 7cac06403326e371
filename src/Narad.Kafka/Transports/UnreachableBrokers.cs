using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Single brokers that the clients of a service cannot reach while others answer. A client says so again and again, and says nothing when it is over: a broker
/// is named once it has failed for
/// <see cref="Grace"/>, and counts as back when no client has complained for <see cref="Lasting"/>. Thread-safe; <see cref="Failed"/> is called on librdkafka's
/// threads, never throws and never logs.
/// </summary>
internal sealed class UnreachableBrokers(ILogger logger, TimeProvider time)
{
    /// <summary>A client repeats itself within 30 s.</summary>
    public static readonly TimeSpan Lasting = TimeSpan.FromSeconds(60);

    /// <summary>A broker that restarts is back within this time, and what was sent to it is sent again.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Failure> _failures = new(StringComparer.Ordinal);
    private readonly OncePerKind<string> _news = new(time);

    /// <summary>A client could not connect, or lost its connection.</summary>
    /// <param name="line">Its log line.</param>
    public void Failed(string line)
    {
        if (ClientError.Parse(ErrorCode.Local_Fail, line) is not { Address: { } broker, Line: var reason })
        {
            return;
        }

        var now = time.GetTimestamp();
        _failures.AddOrUpdate(
            broker,
            static (_, added) => new Failure(added.now, added.now, added.reason),
            static (_, known, added) => known with { Last = added.now, Reason = added.reason },
            (now, reason));
    }

    /// <summary>Some broker answered: says of others that they do not.</summary>
    public void Tell()
    {
        foreach (var (broker, failure) in _failures)
        {
            if (time.GetElapsedTime(failure.Last) >= Lasting)
            {
                if (_failures.TryRemove(new KeyValuePair<string, Failure>(broker, failure)) && _news.Over(broker))
                {
                    TransportLog.BrokerReachable(logger, broker);
                }
            }
            else if (time.GetElapsedTime(failure.First, failure.Last) >= Grace && _news.IsDue(broker))
            {
                TransportLog.BrokerUnreachable(logger, broker, ForeignText.Reason(failure.Reason));
            }
        }
    }

    /// <summary>No broker answers, or one answers again after that: each of them was told by that.</summary>
    public void Clear()
    {
        _failures.Clear();
        _news.Over();
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Failure(long First, long Last, string Reason);
}
