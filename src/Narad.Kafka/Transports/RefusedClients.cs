using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// The producers and consumers of a service that a broker refuses (a password was changed, a certificate ran out) while others still answer: each kind is
/// logged once for as long as it lasts, and seen in health. Thread-safe; called on librdkafka's threads, never throws and never logs there.
/// </summary>
/// <remarks>The client repeats a lasting error every 30 s, and says nothing when it is over: so what was not repeated for a while is over.</remarks>
internal sealed class RefusedClients(ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(45);

    private readonly ConcurrentDictionary<(string Client, ConnectionFaultKind Kind), (ConnectionFault Fault, long Seen)> _refused = new();
    private readonly OncePerKind<(string Client, ConnectionFaultKind Kind)> _news = new(time, Lasting);

    /// <summary>What is refused now, a sentence each.</summary>
    public IReadOnlyList<string> Now =>
        [.. _refused.Where(entry => IsLasting(entry.Value.Seen)).Select(entry => $"{entry.Key.Client}: {entry.Value.Fault}").Order(StringComparer.Ordinal)];

    /// <summary>For a client's error handler.</summary>
    /// <returns>Whether it was a refusal, which then is seen to.</returns>
    public bool Report(string client, Error error, ConnectionFacts facts)
    {
        if (error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed or ErrorCode.TransactionalIdAuthorizationFailed
            or ErrorCode.ClusterAuthorizationFailed
            || ConnectionFaults.Explain(error.Code, error.Reason ?? "", facts, worked: true) is not { IsRefusal: true } fault
            || (fault.Kind is ConnectionFaultKind.NoToken && facts.HasTokenSource)   // the old token may still be good: health says so with the tokens
            || facts.LacksTokens)
        {
            return false;
        }

        _refused.AddOrUpdate(
            (client, fault.Kind),
            static (_, added) => added,
            (_, known, added) => (IsLasting(known.Seen) ? known.Fault : added.Fault, added.Seen),
            (Fault: fault, Seen: time.GetTimestamp()));
        if (_news.IsDue((client, fault.Kind)))
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => ServiceLog.ClientRefused(logger, client, fault.ToString()), null);
        }

        return true;
    }

    private bool IsLasting(long seen) => time.GetElapsedTime(seen) < Lasting;
}
